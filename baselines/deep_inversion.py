"""DeepInversion and Adaptive DeepInversion (Yin et al., CVPR 2020): free pixels under batch-norm
statistics, and the same with a student that has to disagree.

Minimises cross-entropy + R_BN + R_TV + R_l2 (+ R_compete) over the pixels of one batch with Adam,
rolling the batch by up to two pixels before every look. Defaults are the official CIFAR script's
"better images" setting for batches of 256.

Differs from the official code: the images returned are the last iterate because that is what its
aliased "best" returns (``keep="best"`` gives the true best); the teacher's weights get no gradient.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from naturalinversion.errors import SettingError
from naturalinversion.inversion import Keep, Weights, invert
from naturalinversion.jitter import Draws, Jitter, Shift
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator
from naturalinversion.synthesis import Batch, StudentUse, Training
from naturalinversion.teacher import Teacher


class Pixels:
    """The `ImageSource` of DeepInversion: the images (N, 3, H, W) themselves."""

    def __init__(self, images: Tensor, rate: float) -> None:
        self.images = images.requires_grad_()
        self.rate = rate

    def leaves(self) -> list[Tensor]:
        """The pixels."""
        return [self.images]

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam with a constant learning rate."""
        return torch.optim.Adam([self.images], lr=self.rate, fused=True)

    def render(self, by: Shift | None) -> Tensor:
        """The pixels as they are: there is no place inside for a shift."""
        return self.images


@dataclass(kw_only=True)
class DeepInversion:
    """The synthesizer; pixels start from N(0, 1) in teacher space and are never clamped.

    ``reference_batch`` keeps the balance of the loss at other batch sizes (0: weights as they are).
    """

    iterations: int = 2000
    rate: float = 0.1
    cross_entropy: float = 1.0
    bn_statistics: float = 10.0
    total_variation: float = 1e-3
    l2: float = 0.0
    compete: float = 0.0
    compete_floor: float = 0.01
    reference_batch: int = 0
    jitter: int = 2
    flip: bool = False
    keep: Keep = "last"

    student_use: ClassVar[StudentUse] = "none"

    _teacher: Teacher = field(init=False, repr=False)
    _student: nn.Module | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise SettingError(f"iterations is {self.iterations}: one or more")

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Keep the teacher, and the student to compete with; batches share nothing."""
        self._teacher = teacher
        self._student = None if student is None else student.eval().requires_grad_(False)

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """One batch (N, 3, H, W) for ``labels`` (N,)."""
        result = invert(
            self._teacher,
            self.source(labels, seed),
            labels,
            self.weights(len(labels)),
            self.draws(seed),
            keep=self.keep,
            student=self._student,
            compete_floor=self.compete_floor,
            on_iteration=lambda: progress(1),
        )
        return Batch(result.images, labels, result.losses)

    def weights(self, batch_size: int) -> Weights:
        """The loss for batches of this size."""
        weights = Weights(
            self.cross_entropy, self.bn_statistics, self.total_variation, self.l2, self.compete
        )
        return weights.for_batch(batch_size, self.reference_batch)

    def draws(self, seed: int) -> list[Draws]:
        """The shifts of all iterations of the batch with this seed."""
        return Jitter(self.jitter, self.flip).draw(
            self.iterations, generator(derive(seed, "jitter"))
        )

    def source(self, labels: Tensor, seed: int) -> Pixels:
        """The pixels of a batch, as they are before its first step."""
        teacher = self._teacher
        start = torch.randn(
            len(labels), *teacher.image_shape, generator=generator(derive(seed, "pixels"))
        )
        return Pixels(start.to(teacher.device, teacher.dtype), self.rate)

    def state_dict(self) -> dict[str, Tensor]:
        """Nothing: batches share nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to take back."""


@dataclass(kw_only=True)
class AdaptiveDeepInversion(DeepInversion):
    """ADI: DeepInversion whose images must also split the student from the teacher."""

    compete: float = 10.0

    student_use: ClassVar[StudentUse] = "compete"
