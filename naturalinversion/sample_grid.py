"""A PNG of sample images: one column per class as in the paper's Figure 3, or row by row.

Tiles lie side by side in their own size, for others to cut and enlarge; `ENLARGED` is for people.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from naturalinversion.files import write_atomically
from naturalinversion.images import to_pixels
from naturalinversion.teacher.teacher import Teacher

GRID = "grid.png"  # in the folder of the images
ROWS, COLUMNS = 6, 10


class Spacing(NamedTuple):
    """White pixels between tiles, and how many times the whole picture is enlarged."""

    gap: int = 0
    scale: int = 1


NATIVE = Spacing()
ENLARGED = Spacing(gap=2, scale=2)


def grid_images(shards: Iterable[tuple[Tensor, Tensor]], classes: int) -> tuple[Tensor, Tensor]:
    """The images of a grid by class: up to six (N, 3, H, W) of each class shown, and labels (N,).

    Reads ``shards`` until the grid is full, all of them where a class has too few images.
    """
    missing = dict.fromkeys(range(min(COLUMNS, classes)), ROWS)
    parts = []
    for images, labels in shards:
        chosen = []
        for label, wanted in missing.items():
            found = torch.nonzero(labels == label).flatten()[:wanted]
            missing[label] -= len(found)
            chosen.append(found)
        index = torch.cat(chosen)
        parts.append((images[index], labels[index]))
        if not any(missing.values()):
            break
    images, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    return images, labels


def save_grid(
    path: Path,
    images: Tensor,
    labels: Tensor,
    teacher: Teacher,
    spacing: Spacing = NATIVE,
) -> None:
    """Write up to six images (N, 3, H, W) of each of the first ten classes, a column per class.

    Pixels are denormalised and clamped; missing images leave white tiles.
    """
    pixels = to_pixels(images, "denormalize", teacher.mean, teacher.std)
    tiles = {}
    for column in range(min(COLUMNS, teacher.num_classes)):
        for row, index in enumerate(torch.nonzero(labels == column).flatten()[:ROWS].tolist()):
            tiles[row, column] = pixels[index]
    _save(path, tiles, pixels.shape[-2:], spacing)


def save_rows(path: Path, pixels: Tensor) -> None:
    """Write the first sixty of ``pixels`` (N, 3, H, W) uint8, six rows of ten.

    Missing images leave white tiles.
    """
    tiles = {divmod(place, COLUMNS): image for place, image in enumerate(pixels[: ROWS * COLUMNS])}
    _save(path, tiles, pixels.shape[-2:])


def _save(
    path: Path,
    tiles: dict[tuple[int, int], Tensor],
    size: Sequence[int],
    spacing: Spacing = NATIVE,
) -> None:
    """Write tiles (3, H, W) uint8 of ``size`` (H, W) at their (row, column)."""
    (height, width), (gap, scale) = size, spacing
    down, right = height + gap, width + gap
    canvas = np.full((ROWS * down - gap, COLUMNS * right - gap, 3), 255, dtype=np.uint8)
    for (row, column), tile in tiles.items():
        top, left = row * down, column * right
        canvas[top : top + height, left : left + width] = tile.permute(1, 2, 0).numpy()
    picture = Image.fromarray(canvas)
    enlarged = (picture.width * scale, picture.height * scale)
    buffer = io.BytesIO()
    picture.resize(enlarged, Image.Resampling.NEAREST).save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())
