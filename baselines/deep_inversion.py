"""DeepInversion and Adaptive DeepInversion (Yin et al., CVPR 2020): free pixels under batch-norm
statistics, and the same with a student that should disagree with the teacher.

Minimises cross-entropy + R_BN + R_TV + R_l2 (+ R_compete) over the pixels of one batch with Adam,
rolling the batch by up to two pixels in every iteration. Defaults are the official CIFAR script's
"better images" setting for batches of 256.

Differs from the official code: the images returned are the last iterate because that is what its
aliased "best" returns (``keep="best"`` gives the true best); the teacher's weights get no gradient.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.inversion.jitter import ImageTransform
from naturalinversion.inversion.method import InversionMethod
from naturalinversion.seeds import derive, generator
from naturalinversion.synthesis import StudentUse
from naturalinversion.validation import at_least


class Pixels:
    """The `ImageSource` of DeepInversion: the images (N, C, H, W) themselves."""

    capturable = True
    draws = None

    def __init__(self, images: Tensor, rate: float) -> None:
        self.images = images.requires_grad_()
        self.rate = rate

    def leaves(self) -> list[Tensor]:
        """The pixels."""
        return [self.images]

    def tensors(self) -> list[Tensor]:
        """The pixels."""
        return [self.images]

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam with a constant learning rate."""
        return torch.optim.Adam(
            [self.images], lr=self.rate, fused=True, capturable=supports_capture(self.images.device)
        )

    def redraw(self, draws: torch.Generator) -> None:
        """Not called: nothing is drawn."""

    def render(self, transform: ImageTransform | None) -> Tensor:
        """The pixels; ``transform`` is ignored, as there is nothing between pixels and image."""
        return self.images


@dataclass(kw_only=True)
class DeepInversion(InversionMethod):
    """The synthesizer; pixels start from N(0, 1) in teacher space and are never clamped.

    ``rate`` is Adam's learning rate, in units of teacher space.
    """

    rate: float = 0.1
    total_variation: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "rate")

    def source(self, labels: Tensor, seed: int) -> Pixels:
        """The initial pixels of a batch."""
        teacher = self._teacher
        start = torch.randn(
            len(labels), *teacher.image_shape, generator=generator(derive(seed, "pixels"))
        )
        return Pixels(start.to(teacher.device, teacher.dtype), self.rate)


@dataclass(kw_only=True)
class AdaptiveDeepInversion(DeepInversion):
    """ADI: DeepInversion with a loss term that rewards disagreement of student and teacher."""

    compete: float = 10.0

    student_use: ClassVar[StudentUse] = "compete"
