"""The interface of a data-free method: what it implements, is given and returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor, nn

from naturalinversion.errors import SettingError
from naturalinversion.progress import Progress, silent
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.validation import one_of, shown, whole

StudentUse = Literal["none", "compete", "joint"]
USES = {"compete": "compete with", "joint": "train with the generator"}  # what students are for


@dataclass(frozen=True)
class Batch:
    """Images (N, C, H, W) in teacher space, labels (N,), and each loss term per iteration (E,)."""

    images: Tensor
    labels: Tensor
    losses: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass
class Training:
    """Callbacks of `Synthesizer.prepare` for progress and checkpoints.

    ``progress`` is called with a number of steps, first with those of a restored state. ``restore``
    returns the state of the last ``save``, or None: a method that trains for long saves its state,
    tensors and plain values, at intervals, and resumes from it when it was interrupted. What
    ``save`` is given goes on changing afterwards: write it or copy it at once. ``forget``
    is called where the training diverged: from what was saved it would diverge again.
    """

    progress: Progress = silent
    restore: Callable[[], dict[str, Any] | None] = lambda: None
    save: Callable[[dict[str, Any]], None] = lambda state: None
    forget: Callable[[], None] = lambda: None


class Synthesizer(Protocol):
    """A data-free method: a class whose constructor takes its hyper-parameters by name.

    ``student_use`` is the role of the student passed to `prepare`: ``none`` (None is passed:
    students are trained later, on the finished images), ``compete`` (a frozen student, which the
    images should make disagree with the teacher), ``joint`` (it is trained here, together with the
    generator).

    Three optional names say how long it takes. ``iterations``: optimisation steps of a batch.
    ``prepare_steps``: those of `prepare` in their place (0: none), of ``prepare_batch_size`` images
    each. ``with_iterations(iterations, batch_size)``: the same method, fresh, with so many steps in
    all, those of `prepare` of ``batch_size`` images; it is what an estimate times. Without it no
    time is estimated for the method's synthesis. An optional ``begin(teacher, batches,
    batch_size)`` refuses a run before it starts (`SettingError`); where all batches exist there is
    nothing to refuse, and it isn't called.

    A method whose batches build on those before has an attribute ``sequential`` that is true: its
    batches are made in order. ``state_dict()`` then returns all that one batch leaves to the next,
    tensors by name, the student's weights and optimisers included; ``load_state_dict(state)`` takes
    it back, after a `prepare` with the same arguments, which begins anew. Its optional
    ``follow(earlier)`` is called before each attempt at a batch with those before it
    (`sequence.EarlierBatches`).
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


def is_sequential(method: object) -> bool:
    """Whether the batches of a method's object are made in order, by one worker."""
    return bool(getattr(method, "sequential", False))


def iterations_of(synthesizer: Synthesizer, batches: int) -> int:
    """The number of steps `synthesize` will report to a progress bar; 0 if unknown."""
    shared = getattr(synthesizer, "prepare_steps", 0)
    return int(shared or getattr(synthesizer, "iterations", 0) * batches)


def check_request(
    synthesizer: Synthesizer,
    teacher: Teacher | nn.Module,
    batches: int,
    batch_size: int,
    first: int,
    seed: int,
    student: nn.Module | None,
) -> tuple[int, int, int, int]:
    """``batches``, ``batch_size``, ``first`` and ``seed`` as Python's ints.

    Raises `SettingError` for what is no method or no teacher, lacks its student, or other numbers.
    """
    if isinstance(synthesizer, type):
        name = synthesizer.__name__
        raise SettingError(f"{name} is a class; synthesize takes a method: {name}(…)")
    needed = ["student_use", "prepare", "batch"]
    if is_sequential(synthesizer):
        needed += ["state_dict", "load_state_dict"]
    for name in needed:
        if not hasattr(synthesizer, name):
            raise SettingError(f"{type(synthesizer).__name__} is no method: it has no '{name}'")
    one_of(StudentUse, synthesizer, "student_use")
    if isinstance(teacher, nn.Module):
        name = type(teacher).__name__
        raise SettingError(
            f"{name} is a network; synthesize takes Teacher({name}(…), num_classes=…)"
        )
    if not isinstance(teacher, Teacher):
        raise SettingError(f"{shown(teacher)} is no teacher; synthesize takes Teacher(…)")
    batches, batch_size = whole("batches", batches), whole("batch_size", batch_size)
    first, seed = whole("first", first), whole("seed", seed)
    if batches < 1 or batch_size < 2:
        raise SettingError(f"{batches} batches of {batch_size}: at least one batch of two images")
    if synthesizer.student_use != "none" and student is None:
        raise SettingError(
            f"{type(synthesizer).__name__} needs a student to {USES[synthesizer.student_use]}"
        )
    if min(seed, first) < 0:
        raise SettingError(f"seed {seed}, first batch {first}: 0 or more")
    return batches, batch_size, first, seed
