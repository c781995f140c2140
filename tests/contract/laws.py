"""What every method keeps. A broken law is an `AssertionError` of one sentence that names it."""

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from naturalinversion import Teacher, Training, checkpoint, synthesize
from naturalinversion.errors import DivergedError, MethodError
from naturalinversion.image_store.shards import read_shard, shard_path
from naturalinversion.progress import silent
from naturalinversion.seeds import derive, seeded
from naturalinversion.synthesis import Synthesizer, balanced_labels
from naturalinversion.synthesis.sequence import EarlierBatches
from naturalinversion.synthesis.synthesizer import is_sequential

BATCHES, SIZE, CLASSES = 3, 8, 4
CUTS = 3  # how often a run is stopped

State = dict[str, Tensor]


class StoppedError(Exception):
    """The run ends here."""


@dataclass
class Run:
    """What a run leaves: images, the student, and what it called of `Training`."""

    folder: Path
    student: nn.Module
    calls: list[str]


@dataclass
class Method:
    """How to make the method, and what it is run on."""

    make: Callable[[], Synthesizer]
    teacher: Teacher
    _whole: Run | None = field(default=None, init=False)

    def whole(self, folder: Path) -> Run:
        """The run with seed 0 that others are compared with: made once, for all laws to read."""
        if self._whole is None:
            rival, memory = student(), Memory()
            self.run(folder / "whole", training=memory.training(), rival=rival)
            self._whole = Run(folder / "whole", rival, memory.calls)
        return self._whole

    def run(
        self,
        folder: Path,
        seed: int = 0,
        batches: int = BATCHES,
        training: Training | None = None,
        rival: nn.Module | None = None,
    ) -> State:
        """Make all batches in ``folder``; the student's state afterwards.

        What a batch leaves to the next is written after each.
        """
        rival = rival or student()
        with patch.object(checkpoint, "EVERY", 0.0):
            synthesize(
                self.make(),
                self.teacher,
                folder,
                batches=batches,
                batch_size=SIZE,
                seed=seed,
                student=rival,
                training=training,
            )
        return copied(rival)

    def alone(self, numbers: tuple[int, ...], folder: Path) -> tuple[Tensor, Tensor]:
        """The last of the batches ``numbers``, made by one object in this order, as stored."""
        method = self.make()
        method.prepare(self.teacher, student(), derive(0, "prepare"), Training())
        for number in numbers:
            if follow := getattr(method, "follow", None):
                follow(EarlierBatches(folder, number))
            labels = balanced_labels(SIZE, CLASSES, derive(0, "labels", number))
            made = method.batch(labels, derive(0, "batch", number), silent)
        return made.images.half(), made.labels


@dataclass
class Memory:
    """The caller's side of `Training`: what was saved last, and a number of calls to stop at."""

    stop_at: int = 0
    calls: list[str] = field(default_factory=list)
    content: bytes = b""

    def training(self) -> Training:
        return Training(self.progress, self.restore, self.save)

    def progress(self, steps: int) -> None:
        self._called("a step")

    def save(self, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.content = buffer.getvalue()
        self._called("training.save")

    def restore(self) -> dict[str, Any] | None:
        if not self.content:
            return None
        found: dict[str, Any] = torch.load(io.BytesIO(self.content), weights_only=True)
        return found

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if len(self.calls) == self.stop_at:
            raise StoppedError


def student() -> nn.Module:
    """A fresh one, the same each time. It draws numbers in training, as it has dropout."""
    with seeded(3):
        return nn.Sequential(
            *(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU()),
            *(nn.Conv2d(4, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, CLASSES)),
        )


def teacher() -> Teacher:
    """One of the student's architecture, with running statistics."""
    model = student()
    with seeded(7), torch.no_grad():
        for _ in range(3):
            model(torch.randn(16, 3, 16, 16))
    return Teacher(model, num_classes=CLASSES, image_shape=(3, 16, 16))


def copied(module: nn.Module) -> State:
    """Its state, as it is now."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def different(first: Path, second: Path, batches: int = BATCHES) -> list[int]:
    """The numbers of the batches whose files differ."""
    return [
        index
        for index in range(batches)
        if shard_path(first, index).read_bytes() != shard_path(second, index).read_bytes()
    ]


def seeds_decide(method: Method, folder: Path) -> None:
    """The same seed gives the same bytes, another seed and another number others."""
    whole = method.whole(folder).folder
    for name, seed in (("again", 0), ("other", 1)):
        method.run(folder / name, seed)
    for index in different(whole, folder / "again"):
        raise AssertionError(f"batch {index} is not the same again with the same seed")
    for index in sorted({*range(BATCHES)} - {*different(whole, folder / "other")}):
        raise AssertionError(f"batch {index} does not depend on the seed")
    contents = [shard_path(whole, index).read_bytes() for index in range(BATCHES)]
    for index, content in enumerate(contents):
        if content in contents[:index]:
            raise AssertionError(f"batch {index} repeats batch {contents.index(content)}")


def batches_stand_alone(method: Method, folder: Path) -> None:
    """A batch is the same alone and after others; of sequential methods, whatever comes after."""
    whole = method.whole(folder).folder
    if is_sequential(method.make()):
        for count in range(1, BATCHES):
            method.run(folder / str(count), batches=count)
            for index in different(whole, folder / str(count), count):
                raise AssertionError(
                    f"batch {index} depends on how many are made: it is another in a run of {count}"
                )
        return
    for index in range(BATCHES):
        expected = method.alone((index,), whole)
        if same(expected, read_shard(whole, index)):
            continue
        for earlier in reversed(range(index)):
            if not same(expected, method.alone((earlier, index), whole)):
                raise AssertionError(
                    f"batch {index} depends on batch {earlier}: a method that builds on earlier "
                    "batches has the attribute sequential"
                )
        raise AssertionError(f"batch {index} depends on more than its number and its seed")


def interruptions_leave_no_trace(method: Method, folder: Path) -> None:
    """Stopped anywhere and started again, in `prepare` too, a run ends with the same bytes."""
    whole = method.whole(folder)
    expected = whole.student.state_dict()
    for cut in _cuts(whole.calls):
        stopped = Memory(stop_at=cut)
        try:
            method.run(folder / f"{cut}", training=stopped.training())
        except StoppedError:
            pass
        else:
            raise AssertionError(f"the method takes no step {cut} in its second run")
        again = Memory(content=stopped.content)
        found = method.run(folder / f"{cut}", training=again.training())
        when = f"stopped after {whole.calls[cut - 1]} ({cut} of {len(whole.calls)} calls)"
        for index in different(whole.folder, folder / f"{cut}"):
            raise AssertionError(f"batch {index} is another one {_reason(method, when)}")
        for name, tensor in expected.items():
            if not torch.equal(found[name], tensor):
                raise AssertionError(f"the student is another one {_reason(method, when)}")


def lost_batches_come_back(method: Method, folder: Path) -> None:
    """A batch that is missing and one that is damaged are made again, the others are kept."""
    whole = method.whole(folder).folder
    shutil.copytree(whole, folder / "cut")
    shard_path(folder / "cut", 1).unlink()
    damaged = shard_path(folder / "cut", 2)
    damaged.write_bytes(damaged.read_bytes()[:-7])
    kept = shard_path(folder / "cut", 0).stat().st_mtime_ns
    method.run(folder / "cut")
    for index in different(whole, folder / "cut"):
        raise AssertionError(f"batch {index}, lost and made again, is another one")
    if shard_path(folder / "cut", 0).stat().st_mtime_ns != kept:
        raise AssertionError("batch 0 was written twice, though it was whole")


def surroundings_stay(method: Method, folder: Path) -> None:
    """Teacher, hooks, modes, gradients and the global random state are as they were."""
    teacher, rival = method.teacher, student()
    first, *others = rival.parameters()
    first.grad = torch.ones_like(first)
    before, fingerprint = torch.get_rng_state(), teacher.fingerprint
    method.run(folder, rival=rival)
    for broken, law in (
        (teacher.fingerprint != fingerprint, "the teacher's weights or statistics were changed"),
        (not torch.equal(torch.get_rng_state(), before), "the global random state was moved"),
        (any(p.grad is not None for p in teacher.model.parameters()), "the teacher has gradients"),
        (any(p.grad is not None for p in others), "gradients were left on the student"),
        (first.grad is None or bool((first.grad != 1).any()), "the student's gradient was changed"),
    ):
        if broken:
            raise AssertionError(law)
    for name, module in teacher.model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise AssertionError(f"a hook was left on the teacher's {name or 'network'}")
        if module.training:
            raise AssertionError(f"the teacher's {name or 'network'} was left in training mode")


def images_are_usable(method: Method, folder: Path) -> None:
    """Images are finite and of the teacher's shape, labels are classes; others are refused."""
    try:
        method.whole(folder)
    except (MethodError, DivergedError) as error:
        raise AssertionError(str(error)) from error


def student_is_used_as_said(method: Method, folder: Path) -> None:
    """A joint method trains its student and leaves it ready for use; others leave it alone."""
    before, rival = copied(student()), method.whole(folder).student
    if not all(parameter.requires_grad for parameter in rival.parameters()):
        raise AssertionError("the student was left frozen")
    changed = [
        name for name, tensor in copied(rival).items() if not torch.equal(tensor, before[name])
    ]
    if method.make().student_use != "joint":
        if changed:
            raise AssertionError(f"the student's {changed[0]} was changed, though it is not joint")
        if not all(module.training for module in rival.modules()):
            raise AssertionError("the student was left in eval mode, though it is not joint")
    elif not changed:
        raise AssertionError("the student was not trained, though the method is joint")
    elif rival.training:
        raise AssertionError("the joint student was left in training mode")


def same(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> bool:
    """Whether images and labels are the same bits."""
    return all(torch.equal(a.cpu(), b.cpu()) for a, b in zip(first, second, strict=True))


def _cuts(calls: list[str]) -> Iterator[int]:
    """Some of the calls of a run, spread over it, and the first and last save of its state."""
    count = len(calls)
    saves = [number for number, what in enumerate(calls, start=1) if what == "training.save"]
    spread = [1 + index * (count - 1) // max(1, CUTS - 1) for index in range(CUTS)] if count else []
    yield from sorted({*spread, *saves[:1], *saves[-1:]})


def _reason(method: Method, when: str) -> str:
    kept = "state_dict()" if is_sequential(method.make()) else "training.save"
    return f"after an interruption, {when}: what it depends on is not in {kept}"
