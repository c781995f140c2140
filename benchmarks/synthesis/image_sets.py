"""Which synthetic images a cell reads: chosen where cells are planned, read where they are made.

The synthesis cells are the reader's inputs ``images0``, ``images1``, … A reader of several sets
names them: ``images-<name>-0``, ``images-<name>-1``, …
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import torch
from torch import Tensor

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from naturalinversion.errors import BenchmarkError
from naturalinversion.image_store.dataset import SyntheticDataset, joined
from naturalinversion.image_store.meta import IMAGES, Meta, read_meta
from naturalinversion.image_store.pixels import PixelMapping

#: What is read: images as stored, uint8 by a mapping, or ``own``, the pixels that they were before
#: they were stored, such as those of a method that is trained on real ones.
ReadPixels = Literal["stored", "denormalize", "minmax", "own"]
MAPPINGS: dict[ReadPixels, PixelMapping | None] = {
    **{"stored": None, "own": "denormalize", "denormalize": "denormalize", "minmax": "minmax"}
}


class ImageSelection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Part of the recipe of a cell that reads images: the first ``count`` of all those in
    ``batches[i]`` batches of the i-th input, as ``pixels``.
    """

    batches: list[int]
    count: int
    pixels: ReadPixels = "stored"

    def load(self, context: CellContext, name: str = "") -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images (N, 3, H, W), labels (N,), and mean and std (3,) of pixels in teacher space.

        Images are float16 in teacher space where they are read as stored, else uint8. Raises
        `BenchmarkError` when there are fewer than ``count``.
        """
        sets, meta = self._sets(context, name), self.meta(context, name)
        images, labels = joined(sets, MAPPINGS[self.pixels], self.count)
        return images, labels, torch.tensor(meta.mean), torch.tensor(meta.std)

    def meta(self, context: CellContext, name: str = "") -> Meta:
        """What the first input says about its images: classes, normalisation, method."""
        return read_meta(context.inputs[_role(name, 0)] / IMAGES)

    def _sets(self, context: CellContext, name: str) -> list[SyntheticDataset]:
        sets = [
            SyntheticDataset(context.inputs[_role(name, index)] / IMAGES, batches)
            for index, batches in enumerate(self.batches)
        ]
        if self.count > (found := sum(map(len, sets))):
            where = f" in images-{name}" if name else ""
            raise BenchmarkError(
                f"{context.label}: {self.count} images are asked for, there are {found}{where}"
            )
        return sets


@dataclass(frozen=True)
class SyntheticImages:
    """Synthesis cells, each with how many of its batches, and how many images in all."""

    parts: list[tuple[Cell, int]]
    count: int

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> "SyntheticImages":
        """Every image of ``cells``."""
        parts = [(cell, int(cell.recipe["batches"])) for cell in cells]
        return cls(parts, sum(batches * cell.recipe["batch_size"] for cell, batches in parts))

    def first(self, count: int) -> "SyntheticImages":
        """The first ``count`` of them, or all if there are fewer, of as few cells as hold them."""
        count = min(count, self.count)
        parts, left = [], count
        for cell, batches in self.parts:
            if left > 0:
                size = int(cell.recipe["batch_size"])
                parts.append((cell, min(batches, -(-left // size))))
                left -= batches * size
        return SyntheticImages(parts, count)

    def __add__(self, other: "SyntheticImages") -> "SyntheticImages":
        return SyntheticImages([*self.parts, *other.parts], self.count + other.count)

    @property
    def selection(self) -> ImageSelection:
        """What a reader's recipe says of them."""
        return ImageSelection([batches for _, batches in self.parts], self.count)

    def inputs(self, name: str = "") -> dict[str, Cell]:
        """The synthesis cells by the roles that `ImageSelection.load` looks for."""
        return {_role(name, index): cell for index, (cell, _) in enumerate(self.parts)}


def _role(name: str, index: int) -> str:
    return f"images-{name}-{index}" if name else f"images{index}"
