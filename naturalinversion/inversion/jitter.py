"""Jitter: random shifts and horizontal flips of the images before the teacher's forward pass.

DeepInversion rolls the batch by up to two pixels before every forward pass; NaturalInversion rolls
and flips twice, before the pyramid and before the loss. Offsets are the same for the whole batch
and the roll is circular.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from naturalinversion.seeds import refill

ImageTransform = Callable[[Tensor], Tensor]  # images (N, C, H, W) to the same shape


@dataclass(frozen=True)
class Shift:
    """Roll images (N, C, H, W) by (dy, dx) pixels, then flip them horizontally if ``flip``."""

    dy: int
    dx: int
    flip: bool = False

    def __call__(self, images: Tensor) -> Tensor:
        if self.dy or self.dx:
            images = torch.roll(images, (self.dy, self.dx), dims=(2, 3))
        return images.flip(3) if self.flip else images


class IterationShifts(NamedTuple):
    """The shifts of one iteration: inside the image source and before the loss."""

    source: Shift
    loss: Shift


def draw_shifts(
    iterations: int, pixels: int, flip: bool, generator: torch.Generator
) -> list[IterationShifts]:
    """The shifts of all iterations, drawn ahead so that the loop needs no draws on the host.

    Offsets are uniform in [-pixels, pixels] on both axes; with ``flip`` half are flipped.
    """
    offsets = torch.randint(-pixels, pixels + 1, (iterations, 2, 2), generator=generator).tolist()
    flips = (torch.rand(iterations, 2, generator=generator) < 0.5).tolist()
    return [
        IterationShifts(*(Shift(dy, dx, flip and f) for (dy, dx), f in zip(o, fs, strict=True)))
        for o, fs in zip(offsets, flips, strict=True)
    ]


class ShiftTable:
    """The `Shift` of every iteration as index tables on the device."""

    def __init__(
        self, shifts: Sequence[Shift], size: tuple[int, int], device: torch.device
    ) -> None:
        self.size = size
        self.tables = [table.to(device) for table in _tables(shifts, size)]

    def refill(self, shifts: Sequence[Shift]) -> None:
        """Copy as many shifts of another batch into the same tensors."""
        for table, fresh in zip(self.tables, _tables(shifts, self.size), strict=True):
            refill(table, fresh)

    def at(self, iteration: Tensor) -> ImageTransform:
        """The shift of ``iteration`` (1,), an index on the device that is not read back."""
        rows = [table.index_select(0, iteration).flatten() for table in self.tables]
        return lambda images: _Permute.apply(images, *rows)


def _tables(shifts: Sequence[Shift], size: tuple[int, int]) -> list[Tensor]:
    """Row indices (E, H), column indices (E, W), and the inverse permutations of both."""
    height, width = size
    dy, dx = torch.tensor([(shift.dy, shift.dx) for shift in shifts]).unbind(dim=1)
    rows = (torch.arange(height) - dy[:, None]) % height
    columns = (torch.arange(width) - dx[:, None]) % width
    flips = torch.tensor([shift.flip for shift in shifts])
    columns = torch.where(flips[:, None], columns.flip(1), columns)
    return [rows, columns, rows.argsort(dim=1), columns.argsort(dim=1)]


class _Permute(torch.autograd.Function):
    """Permute rows and columns of images (N, C, H, W), and the gradient by the inverse."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx,
        images: Tensor,
        rows: Tensor,
        columns: Tensor,
        inverse_rows: Tensor,
        inverse_columns: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(inverse_rows, inverse_columns)
        return images.index_select(2, rows).index_select(3, columns)

    @staticmethod
    def backward(ctx, *gradients: Tensor):  # type: ignore[no-untyped-def]
        rows, columns = ctx.saved_tensors
        gradient = gradients[0].index_select(2, rows).index_select(3, columns)
        return gradient, None, None, None, None
