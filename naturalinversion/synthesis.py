"""The interface of a data-free method, and the one function that runs any of them.

A method implements `Synthesizer`; `synthesize` does labels, seeds, shards, resuming and progress.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import msgspec
import torch
from torch import Tensor, nn

from naturalinversion.agreement import count_agreeing, low_agreement
from naturalinversion.batch_check import check_batch, implausible
from naturalinversion.errors import DivergedError, NaturalInversionWarning, SettingError
from naturalinversion.images import (
    META,
    Meta,
    SyntheticDataset,
    read_meta,
    read_shard,
    shard_is_whole,
    write_meta,
)
from naturalinversion.method_settings import settings_of, source_of, weights_digest
from naturalinversion.precision import effective_precision
from naturalinversion.progress import Progress, bar, silent
from naturalinversion.same_run import claim
from naturalinversion.seeds import derive, generator
from naturalinversion.sequence import AnyOrder, order_of
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.torch_state import usual_torch_state

ATTEMPTS = 3  # seeds for a batch whose loss or images are not finite

StudentUse = Literal["none", "compete", "joint"]


@dataclass(frozen=True)
class Batch:
    """Images (N, 3, H, W) in teacher space, labels (N,), and each loss term per iteration (E,)."""

    images: Tensor
    labels: Tensor
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass
class Training:
    """Callbacks of `Synthesizer.prepare` for progress and checkpoints.

    ``progress`` is called with a number of steps. ``restore`` returns the state of the last
    ``save``, or None: a method that trains for long saves its state at intervals, and resumes from
    it when it was interrupted.
    """

    progress: Progress = silent
    restore: Callable[[], dict[str, Any] | None] = lambda: None
    save: Callable[[dict[str, Any]], None] = lambda state: None


class Synthesizer(Protocol):
    """A data-free method: a class whose constructor takes its hyper-parameters by name.

    ``student_use`` is the role of the student passed to `prepare`: ``none`` (students are trained
    later, on the finished images), ``compete`` (a frozen student, which the images should make
    disagree with the teacher), ``joint`` (it is trained here, together with the generator).

    Three optional names say how long it takes. ``iterations``: optimisation steps of a batch.
    ``prepare_steps``: those of `prepare` in their place (0: none), of ``prepare_batch_size`` images
    each. ``with_iterations(iterations, batch_size)``: the same method, fresh, with so many steps in
    all, those of `prepare` of ``batch_size`` images; it is what an estimate times. Without it no
    time is estimated for the method's synthesis.

    A method whose batches build on those before has an attribute ``sequential`` that is true: its
    batches are made in order. `state_dict` then holds all that one batch leaves to the next, the
    student's weights and optimisers included. Two optional methods: ``begin(teacher, batches,
    batch_size)`` refuses a run before it starts (`SettingError`), and ``follow(earlier)`` is called
    before each attempt at a batch with those before it (`sequence.EarlierBatches`).
    """

    student_use: ClassVar[StudentUse]

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Train what all batches share; keeps ``teacher`` (and ``student``) for `batch`."""

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """One batch for the target ``labels`` (N,), a function of these, ``seed`` and `prepare`,
        and of the batches before it where the method is sequential.

        A method without target labels ignores their values and returns its own.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """The weights that `prepare` trained, empty if there are none; for sequential methods
        what the last batch left behind.
        """

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Load a `state_dict`; `prepare` with its arguments was or will be called."""


def balanced_labels(size: int, num_classes: int, seed: int) -> Tensor:
    """``size`` labels (N,): each class equally often, the rest distinct classes drawn at random."""
    whole = torch.arange(num_classes).repeat(size // num_classes)
    rest = torch.randperm(num_classes, generator=generator(seed))[: size % num_classes]
    return torch.cat([whole, rest])


def synthesize(
    synthesizer: Synthesizer,
    teacher: Teacher,
    folder: Path | str,
    *,
    batches: int,
    batch_size: int,
    first: int = 0,
    seed: int = 0,
    student: nn.Module | None = None,
    student_known: bool = False,
    method: str = "",
    settings: Mapping[str, Any] | None = None,
    training: Training | None = None,
    on_batch: Callable[[int, Batch], None] | None = None,
    progress: bool = False,
) -> SyntheticDataset:
    """Fill ``folder`` with ``batches`` batches, the first of them numbered ``first``.

    A batch depends on its number alone: two folders with batches 0 to 4 and 5 to 9 hold the same
    images as one folder with ten. The batches of a sequential method are made in order from 0, and
    n of them are the first n of any longer run; its state lies beside the shards (`sequence`).

    Undamaged batches in the folder are kept, so the same call resumes an interrupted one and ends
    with the same bytes; with more ``batches`` it adds the others, with fewer it returns the first.
    The folder remembers the run: method, its settings (the fields of its dataclass, and
    ``settings`` by name), the code of a method from outside, teacher, student, seed. Another run is
    refused. A batch that diverges is retried with its next seed, `ATTEMPTS` times in all; its shard
    records the retries. ``on_batch`` is called with the number and content of every batch made in
    this call, before it is written. ``student_known``: the caller has the student of a joint
    method, which is then not trained again if all batches exist. ``progress`` draws a bar.

    Warns where images can hardly be in teacher space, and where the teacher gives fewer than half
    of them the label they are stored with (`SyntheticDataset.teacher_agreement`), unless their
    student was trained with them, without labels.

    Raises `StoreError` naming what differs when the folder holds images of another run,
    `SettingError` for a missing student or numbers out of range, `MethodError` for a batch that
    breaks a rule of the protocol, `DivergedError` naming the batch.
    """
    _check_request(synthesizer, batches, batch_size, first, seed, student)
    if synthesizer.student_use != "none" and student is not None:
        teacher.check_student(student, trained=synthesizer.student_use == "joint")
    training = training or Training()
    folder = Path(folder)
    order = order_of(synthesizer, folder)
    order.begin(teacher, first, batches, batch_size)
    meta = Meta(
        method=method or type(synthesizer).__name__,
        teacher=teacher.fingerprint,
        num_classes=teacher.num_classes,
        image_shape=teacher.image_shape,
        mean=teacher.mean,
        std=teacher.std,
        seed=seed,
        batch_size=batch_size,
        batches=batches,
        settings=settings_of(synthesizer, settings),
        first=first,
        source=source_of(synthesizer),
        student=_student_digest(synthesizer, student),
        precision=effective_precision(teacher.device, teacher.precision),
        stages=tuple(f"{stage.module} {stage.call}" for stage in teacher.stages),
    )
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    found = claim(folder, meta, any_student=student_known)
    numbers = range(first, first + batches)
    missing = [index for index in numbers if not shard_is_whole(folder, index, found)]
    joint = synthesizer.student_use == "joint" and not student_known
    missing = order.to_make(missing, batches, joint)
    remarks: list[str] = []
    with (
        usual_torch_state(),
        _rival_as_before(synthesizer, student),
        _bar(synthesizer, len(missing), joint, meta.method, progress, training) as shown,
    ):
        if missing or joint:
            with _given_back(folder, fresh):
                synthesizer.prepare(teacher, student, derive(seed, "prepare"), shown)
            order.resume()
        for index in missing:
            labels = balanced_labels(batch_size, teacher.num_classes, derive(seed, "labels", index))
            labels = labels.to(teacher.device)
            batch, attempt = _attempt(synthesizer, labels, meta, index, shown, order)
            if not remarks and (remark := implausible(batch, teacher)):
                remarks.append(f"{meta.method}, batch {index}: {remark}")
            if on_batch is not None:
                on_batch(index, batch)
            order.write(index, batch.images, batch.labels, attempt)
    dataset = _finished(folder, batches, teacher, missing)
    share = dataset.teacher_agreement
    if share is not None and (remark := low_agreement(share, synthesizer)):
        remarks.append(remark)
    for remark in remarks:
        warnings.warn(remark, NaturalInversionWarning, stacklevel=2)
    return dataset


@contextmanager
def _rival_as_before(synthesizer: Synthesizer, student: nn.Module | None) -> Iterator[None]:
    """A student to compete with is frozen until the end of the block, then as it was."""
    if student is None or synthesizer.student_use != "compete":
        yield
        return
    modes = [(module, module.training) for module in student.modules()]
    trainable = [(each, each.requires_grad) for each in student.parameters()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, requires_grad in trainable:
            parameter.requires_grad_(requires_grad)


@contextmanager
def _given_back(folder: Path, fresh: bool) -> Iterator[None]:
    """Remove a ``fresh`` folder that a refused setting leaves without images."""
    try:
        yield
    except SettingError:
        if fresh:
            (folder / META).unlink(missing_ok=True)
            with suppress(OSError):
                folder.rmdir()
        raise


def iterations_of(synthesizer: Synthesizer, batches: int) -> int:
    """The number of steps `synthesize` will report to a progress bar; 0 if unknown."""
    shared = getattr(synthesizer, "prepare_steps", 0)
    return int(shared or getattr(synthesizer, "iterations", 0) * batches)


def _check_request(
    synthesizer: Synthesizer,
    batches: int,
    batch_size: int,
    first: int,
    seed: int,
    student: nn.Module | None,
) -> None:
    if isinstance(synthesizer, type):
        name = synthesizer.__name__
        raise SettingError(f"{name} is a class; synthesize takes a method: {name}(…)")
    for name in ("student_use", "prepare", "batch"):
        if not hasattr(synthesizer, name):
            raise SettingError(f"{type(synthesizer).__name__} is no method: it has no '{name}'")
    if batches < 1 or batch_size < 2:
        raise SettingError(f"{batches} batches of {batch_size}: at least one batch of two images")
    if synthesizer.student_use != "none" and student is None:
        raise SettingError(
            f"{type(synthesizer).__name__} needs a student ({synthesizer.student_use})"
        )
    if min(seed, first) < 0:
        raise SettingError(f"seed {seed}, first batch {first}: 0 or more")


def _student_digest(synthesizer: Synthesizer, student: nn.Module | None) -> str:
    takes_part = synthesizer.student_use != "none" and student is not None
    return weights_digest(student) if takes_part and student is not None else ""


@contextmanager
def _bar(
    synthesizer: Synthesizer,
    missing: int,
    joint: bool,
    title: str,
    wanted: bool,
    training: Training,
) -> Iterator[Training]:
    """``training`` whose progress is drawn as a bar as well, if one is ``wanted``."""
    if not wanted or not (missing or joint):
        yield training
        return
    with bar(iterations_of(synthesizer, missing), title, always=True) as draw:

        def both(steps: int) -> None:
            training.progress(steps)
            draw(steps)

        yield replace(training, progress=both)


def _attempt(
    synthesizer: Synthesizer,
    labels: Tensor,
    meta: Meta,
    index: int,
    training: Training,
    order: AnyOrder,
) -> tuple[Batch, int]:
    """The batch of this number, and the number of attempts that diverged before."""
    reason = ""
    where = f"{meta.method}, batch {index}"
    for attempt in range(ATTEMPTS):
        path = ("batch", index, "attempt", attempt) if attempt else ("batch", index)
        order.enter(index, attempt)
        try:
            batch = synthesizer.batch(labels, derive(meta.seed, *path), training.progress)
            check_batch(batch, where, len(labels), meta.image_shape, meta.num_classes)
        except DivergedError as error:
            reason = str(error)
            continue
        return batch, attempt
    raise DivergedError(f"batch {index}: {reason}, with every of {ATTEMPTS} seeds")


def _finished(
    folder: Path, batches: int, teacher: Teacher, made: Sequence[int]
) -> SyntheticDataset:
    """The first ``batches``; the folder's meta now counts them, and what the teacher says."""
    known = read_meta(folder)  # another process may have added batches
    agreed = list(known.agreed[: min(made) - known.first] if made else known.agreed)
    for index in range(known.first + len(agreed), known.first + batches):
        agreed.append(count_agreeing(teacher, *read_shard(folder, index, known)))
    written = msgspec.structs.replace(
        known, batches=max(known.batches, batches), agreed=tuple(agreed)
    )
    if written != known:
        write_meta(folder, written)
    return SyntheticDataset(folder, batches)
