"""Sequential methods: batches made in order, each from what those before it left behind.

A method is sequential where the attribute ``sequential`` of its object is true. Its batch k may
depend on batches 0 to k - 1, as they are stored, and on what `state_dict` holds after batch k - 1,
which is kept beside the shards, at intervals and after the last batch: a run that was stopped goes
on with the same bytes. Batches after the state's are made again; where the state is lost or another
run's, or a shard from before it is lost, all are, from batch 0. Shards that come out as they are
stay.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor

from naturalinversion.errors import MethodError, SettingError, StoreError
from naturalinversion.image_store.meta import Meta
from naturalinversion.image_store.shards import read_shard, write_shard
from naturalinversion.synthesis.run_checkpoint import RunCheckpoint
from naturalinversion.synthesis.synthesizer import is_sequential
from naturalinversion.validation import shown

STATE = ".sequence.pt"  # in the folder of the shards, until `forget_state`

Stored = tuple[Tensor, Tensor]


class EarlierBatches(Sequence[Stored]):
    """The batches before the one to be made, read from their shards; their number is its number.

    Each is float16 images (N, C, H, W) in teacher space and int64 labels (N,), on the CPU.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Stored: ...

    @overload
    def __getitem__(self, index: slice) -> list[Stored]: ...

    def __getitem__(self, index: int | slice) -> Stored | list[Stored]:
        found = range(self._count)[index]
        if isinstance(found, range):
            return [read_shard(self._folder, number) for number in found]
        return read_shard(self._folder, found)


class AnyOrder:
    """Batches that depend on their numbers alone."""

    def __init__(self, method: Any, folder: Path) -> None:
        self.method, self.folder = method, folder

    @property
    def goes_on(self) -> bool:
        """Whether the method begins with the state of an earlier call, the student's included."""
        return False

    def begin(self, teacher: Any, batches: int, batch_size: int) -> None:
        """Before anything is made. Raises `SettingError` for what can't be made."""
        hook: Callable[[Any, int, int], None] | None = getattr(self.method, "begin", None)
        if hook is not None:
            hook(teacher, batches, batch_size)

    def to_make(self, missing: list[int], batches: int, trains: bool) -> list[int]:
        """The numbers of the batches to be made; ``missing`` are those without a whole shard.

        ``trains``: making them also trains a student that the caller has not got.
        """
        return missing

    def resume(self) -> None:
        """After `prepare`."""

    def enter(self, index: int, attempt: int) -> None:
        """Before an attempt at batch ``index``."""

    def write(self, index: int, images: Tensor, labels: Tensor, attempt: int) -> None:
        """Write the shard of batch ``index``."""
        write_shard(self.folder, index, images, labels, attempt)


class InOrder(AnyOrder):
    """Batches that build on those before; the method's state is kept beside the shards."""

    def __init__(self, method: Any, folder: Path, meta: Meta) -> None:
        super().__init__(method, folder)
        self._checkpoint = RunCheckpoint(folder / STATE, meta)
        self._done, self._batches, self._state = 0, 0, dict[str, Tensor]()

    @property
    def goes_on(self) -> bool:
        return self._done > 0

    def to_make(self, missing: list[int], batches: int, trains: bool) -> list[int]:
        """All after the state's, or none if all are there."""
        self._batches = batches
        if not missing and not trains:
            return []
        saved = self._checkpoint.restore()
        done = 0 if saved is None else int(saved["batches"])
        if saved is not None and done <= batches and all(index >= done for index in missing):
            self._done, self._state = done, saved["state"]
        return list(range(self._done, batches))

    def resume(self) -> None:
        """Bring the method to where the batches that are kept left it."""
        if self._done:
            self.method.load_state_dict(_copied(self._state))
        else:
            self._state = _copied(self.method.state_dict())

    def enter(self, index: int, attempt: int) -> None:
        """A failed attempt leaves nothing behind."""
        if attempt:
            self.method.load_state_dict(_copied(self._state))
        follow: Callable[[EarlierBatches], None] | None = getattr(self.method, "follow", None)
        if follow is not None:
            follow(EarlierBatches(self.folder, index))

    def write(self, index: int, images: Tensor, labels: Tensor, attempt: int) -> None:
        """Write the shard, unless it is there already; the state after it at intervals, and at once
        after the last one.
        """
        if not _is_stored(self.folder, index, images, labels):
            super().write(index, images, labels, attempt)
        self._state = _copied(self.method.state_dict())
        made = index + 1
        last = made == self._batches
        self._checkpoint.save({"batches": made, "state": self._state}, at_once=last)


def order_of(method: object, folder: Path, meta: Meta) -> AnyOrder:
    """How the batches of ``method`` are made, in the run of ``meta``."""
    return InOrder(method, folder, meta) if is_sequential(method) else AnyOrder(method, folder)


def check_first(method: object, first: int) -> None:
    """Raises `SettingError` where batch ``first`` can't be the first one that ``method`` makes."""
    if first and is_sequential(method):
        name = type(method).__name__
        raise SettingError(f"first batch {first}: {name} makes its batches in order, from 0 on")


def forget_state(folder: Path) -> None:
    """Remove the state: all batches are made, and whoever needs the student has it."""
    (folder / STATE).unlink(missing_ok=True)


def _is_stored(folder: Path, index: int, images: Tensor, labels: Tensor) -> bool:
    try:
        found, targets = read_shard(folder, index)
    except StoreError:
        return False
    made = images.detach().to("cpu", torch.float16)
    return torch.equal(found, made) and torch.equal(targets, labels.detach().cpu())


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, in the default layout, and not what the method goes on changing.

    Raises `MethodError` for a state that can't be kept beside the shards.
    """
    if wrong := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise MethodError(f"state_dict(): {wrong[0]} is {shown(state[wrong[0]])}, not a tensor")
    return {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
