"""Noise in place of images: a control, no method. What a student learns from it needs no synthesis.

Every value of an image is drawn from N(0, 1) in teacher space: in pixels, noise of the mean and the
deviation, by channel, that the teacher normalises with. The mean is the real images', the deviation
is where that of the normalisation is; CIFAR's published one is a fifth smaller. Nothing is
optimised, and the labels that were asked for say nothing about the images.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator
from naturalinversion.synthesis import Batch, StudentUse, Training
from naturalinversion.teacher.teacher import Teacher


@dataclass(kw_only=True)
class Noise:
    """The synthesizer of the control; it has no settings and takes no steps."""

    student_use: ClassVar[StudentUse] = "none"
    iterations: ClassVar[int] = 0

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Keep the teacher's shape of an image; batches share no state."""
        self._teacher = teacher

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """Noise (N, C, H, W) with the ``labels`` (N,) as they were asked for."""
        teacher = self._teacher
        drawn = torch.randn(
            len(labels), *teacher.image_shape, generator=generator(derive(seed, "pixels"))
        )
        return Batch(drawn.to(teacher.device, teacher.dtype), labels)
