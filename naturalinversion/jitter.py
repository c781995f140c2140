"""The random shifts and mirrorings between an image and the teacher that looks at it.

DeepInversion rolls the batch by up to two pixels before every look; NaturalInversion rolls and
mirrors twice, once before the pyramid and once before the loss. Offsets are the same for the whole
batch and the roll is circular.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Shift(NamedTuple):
    """Roll by (dy, dx) pixels, then mirror left and right if ``flip``."""

    dy: int
    dx: int
    flip: bool = False


class Draws(NamedTuple):
    """One iteration's shifts: inside the image source and before the loss."""

    source: Shift
    loss: Shift


@dataclass(frozen=True)
class Jitter:
    """Offsets uniform in [-pixels, pixels] on both axes; mirrored half of the time if ``flip``."""

    pixels: int = 2
    flip: bool = False

    def draw(self, iterations: int, generator: torch.Generator) -> list[Draws]:
        """All shifts of a batch, drawn ahead so that the loop never leaves the device."""
        offsets = torch.randint(
            -self.pixels, self.pixels + 1, (iterations, 2, 2), generator=generator
        ).tolist()
        flips = (torch.rand(iterations, 2, generator=generator) < 0.5).tolist()
        return [
            Draws(*(Shift(dy, dx, self.flip and flip) for (dy, dx), flip in zip(o, f, strict=True)))
            for o, f in zip(offsets, flips, strict=True)
        ]


def shift(images: Tensor, by: Shift) -> Tensor:
    """``images`` (N, C, H, W) rolled, then mirrored."""
    if by.dy or by.dx:
        images = torch.roll(images, (by.dy, by.dx), dims=(2, 3))
    return images.flip(3) if by.flip else images
