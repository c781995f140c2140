"""The base class of DeepInversion, NaturalInversion and their adaptive versions."""

import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from torch import Tensor, nn

from naturalinversion.errors import NaturalInversionWarning, SettingError
from naturalinversion.inversion.captured_batches import CapturedBatches
from naturalinversion.inversion.image_source import ImageSource
from naturalinversion.inversion.invert import InversionResult, Keep, Plateau, invert
from naturalinversion.inversion.jitter import IterationShifts, draw_shifts
from naturalinversion.inversion.objective import Objective, Weights
from naturalinversion.inversion.step import Schedule
from naturalinversion.layout import to_fast_layout
from naturalinversion.loss_weights import check_weights
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator
from naturalinversion.synthesis.synthesizer import Batch, StudentUse, Training
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.validation import at_least, typed

HIGHEST_FLOOR = 0.1  # of R_compete, times the number of classes: 0.01 with ten
WEIGHTS = tuple(weight.name for weight in fields(Weights))


@dataclass(kw_only=True)
class InversionMethod(ABC):
    """Loss weights, jitter and iterations of a batch; a subclass says where its images come from.

    A batch takes ``iterations`` steps. Weights of the loss terms, 0 for none: ``cross_entropy``
    (NaturalInversion's Eq. 2), ``bn_statistics`` (R_BN, Eq. 3), ``total_variation`` and ``l2``
    (R_TV and R_l2, Eq. 4), ``compete`` (ADI's R_compete, whose probabilities are clamped to
    ``compete_floor`` from 0 and from 1). In every iteration the images are rolled by up to
    ``jitter`` pixels each way and, with ``flip``, mirrored half of the time. ``keep`` says which
    iterate is returned: the "best", of the lowest loss, or the "last".

    ``reference_batch`` is the batch size that the weights are for (0: any). ``schedule`` is that of
    all learning rates. ``plateau`` is a window as a fraction of the iterations: a batch ends early
    once the mean loss of a window is less than 1 % below that of the window before (0: never).
    Raises `SettingError` for values of another type or out of range, and for ``compete`` of a
    method that has no student to compete with.
    """

    iterations: int = 2000
    cross_entropy: float = 1.0
    bn_statistics: float = 10.0
    total_variation: float = 0.0
    l2: float = 0.0
    compete: float = 0.0
    compete_floor: float = 0.01
    reference_batch: int = 0
    jitter: int = 2
    flip: bool = False
    keep: Keep = "last"
    schedule: Schedule = "constant"
    plateau: float = 0.0

    student_use: ClassVar[StudentUse] = "none"

    def __post_init__(self) -> None:
        self._captured = CapturedBatches()  # no field, as all that is no setting
        typed(self)
        at_least(1, self, "iterations")
        at_least(0, self, "jitter", "reference_batch")
        check_weights(self, WEIGHTS)
        if not 0 <= self.plateau <= 0.5:
            raise SettingError(f"plateau is {self.plateau:g}: a fraction up to 0.5, or 0 for never")
        if not 0 <= self.compete_floor < 0.5:
            raise SettingError(
                f"compete_floor is {self.compete_floor:g}: below 0.5, where R_compete is a constant"
            )
        if self.compete and self.student_use != "compete":
            raise SettingError(
                f"compete is {self.compete:g}, which is for methods that compete with a student: "
                f"{type(self).__name__} does not"
            )

    def with_iterations(self, iterations: int, batch_size: int) -> Self:
        """The same method with so many iterations a batch, to be timed."""
        return replace(self, iterations=iterations)

    @abstractmethod
    def source(self, labels: Tensor, seed: int) -> ImageSource:
        """What is optimised for a batch with these labels (N,), as it is at the start."""

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Set the teacher, and the student to compete with; batches share no state."""
        self._set_networks(teacher, student)

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """One batch (N, C, H, W) for ``labels`` (N,)."""
        result = self._invert(self.source(labels, seed), labels, seed, progress, self.keep)
        return Batch(result.images, labels, result.losses)

    def weights(self, batch_size: int) -> Weights:
        """The loss weights for batches of this size."""
        weights = Weights(
            self.cross_entropy, self.bn_statistics, self.total_variation, self.l2, self.compete
        )
        return weights.for_batch(batch_size, self.reference_batch)

    def draws(self, seed: int) -> list[IterationShifts]:
        """The shifts of all iterations of the batch with this seed."""
        draws = generator(derive(seed, "jitter"))
        return draw_shifts(self.iterations, self.jitter, self.flip, draws)

    def _set_networks(self, teacher: Teacher, student: nn.Module | None) -> None:
        """Set the teacher, and the student if the method competes with it, which is frozen.

        Warns where ``compete_floor`` is too high for so many classes.
        """
        self._teacher = teacher
        if self.compete and self.compete_floor * teacher.num_classes > 1.001 * HIGHEST_FLOOR:
            warnings.warn(
                f"compete_floor is {self.compete_floor:g}, with {teacher.num_classes} classes: "
                "most predictions lie below it, and competition has no gradient there; "
                f"{HIGHEST_FLOOR / teacher.num_classes:g} is the published one for ten classes",
                NaturalInversionWarning,
                stacklevel=3,
            )
        student = student if self.student_use == "compete" else None
        if student is not None:
            student.eval()  # whose own train() may return nothing
            student.requires_grad_(False)
            on_cpu = teacher.device.type == "cpu"  # where weights in that layout are no faster
            to_fast_layout(student, teacher.image_shape, weights=not on_cpu)
        self._student = student

    def _invert(
        self, source: ImageSource, labels: Tensor, seed: int, progress: Progress, keep: Keep
    ) -> InversionResult:
        weights = self.weights(len(labels))
        self._teacher.refresh()
        self._captured.settings = {n: v for n, v in vars(self).items() if not n.startswith("_")}
        return invert(
            source,
            Objective(self._teacher, labels, weights, self._student, self.compete_floor),
            self.draws(seed),
            keep=keep,
            schedule=self.schedule,
            plateau=Plateau(math.ceil(self.plateau * self.iterations)),
            on_iteration=lambda: progress(1),
            captured=self._captured,
        )
