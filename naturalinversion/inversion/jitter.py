"""The random shifts and mirrorings between an image and the teacher that looks at it.

DeepInversion rolls the batch by up to two pixels before every look; NaturalInversion rolls and
mirrors twice, once before the pyramid and once before the loss. Offsets are the same for the whole
batch and the roll is circular.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from naturalinversion.seeds import refill

ImageTransform = Callable[[Tensor], Tensor]  # images (N, C, H, W) to the same, moved


@dataclass(frozen=True)
class Shift:
    """Roll by (dy, dx) pixels, then mirror left and right if ``flip``; takes images to moved ones.

    Images are (N, C, H, W).
    """

    dy: int
    dx: int
    flip: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        if self.dy or self.dx:
            images = torch.roll(images, (self.dy, self.dx), dims=(2, 3))
        return images.flip(3) if self.flip else images


class IterationShifts(NamedTuple):
    """One iteration's shifts: inside the image source and before the loss."""

    source: Shift
    loss: Shift


@dataclass(frozen=True)
class Jitter:
    """Offsets uniform in [-pixels, pixels] on both axes; mirrored half of the time if ``flip``."""

    pixels: int = 2
    flip: bool = False

    def draw(self, iterations: int, generator: torch.Generator) -> list[IterationShifts]:
        """All shifts of a batch, drawn ahead so that the loop never leaves the device."""
        offsets = torch.randint(
            -self.pixels, self.pixels + 1, (iterations, 2, 2), generator=generator
        ).tolist()
        flips = (torch.rand(iterations, 2, generator=generator) < 0.5).tolist()
        return [
            IterationShifts(
                *(Shift(dy, dx, self.flip and flip) for (dy, dx), flip in zip(o, f, strict=True))
            )
            for o, f in zip(offsets, flips, strict=True)
        ]


class ShiftTable:
    """Every iteration's `Shift` as rows of index tables, so that a device can look up its own."""

    def __init__(
        self, shifts: Sequence[Shift], size: tuple[int, int], device: torch.device
    ) -> None:
        self.size = size
        self.tables = [table.to(device) for table in _tables(shifts, size)]

    def refill(self, shifts: Sequence[Shift]) -> None:
        """As many shifts of another batch, in the same tensors."""
        for place, table in zip(self.tables, _tables(shifts, self.size), strict=True):
            refill(place, table)

    def at(self, iteration: Tensor) -> ImageTransform:
        """The shift of ``iteration`` (1,), which lies on the device and is not read."""
        rows = [table.index_select(0, iteration).flatten() for table in self.tables]
        return lambda images: _Permuted.apply(images, *rows)


def _tables(shifts: Sequence[Shift], size: tuple[int, int]) -> list[Tensor]:
    """Rows (E, H), columns (E, W), and the inverses of both."""
    height, width = size
    dy, dx = torch.tensor([(by.dy, by.dx) for by in shifts]).unbind(dim=1)
    rows = (torch.arange(height) - dy[:, None]) % height
    columns = (torch.arange(width) - dx[:, None]) % width
    flips = torch.tensor([by.flip for by in shifts])
    columns = torch.where(flips[:, None], columns.flip(1), columns)
    return [rows, columns, rows.argsort(dim=1), columns.argsort(dim=1)]


class _Permuted(torch.autograd.Function):
    """Images (N, C, H, W) with rows and columns in another order; the gradient in the old one."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, images: Tensor, rows: Tensor, columns: Tensor, old_rows: Tensor, old_columns: Tensor
    ) -> Tensor:
        ctx.save_for_backward(old_rows, old_columns)
        return images.index_select(2, rows).index_select(3, columns)

    @staticmethod
    def backward(ctx, *gradients: Tensor):  # type: ignore[no-untyped-def]
        rows, columns = ctx.saved_tensors
        moved_back = gradients[0].index_select(2, rows).index_select(3, columns)
        return moved_back, None, None, None, None
