"""Images of several methods below one another, a column for each class, with the classes' names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from naturalinversion.files import write_atomically
from naturalinversion.image_store.sample_grid import COLUMNS, ROWS
from reports.figures.tiles import Pixels


def save_contact_sheet(
    path: Path, sets: Mapping[str, tuple[Tensor, Tensor]], classes: Sequence[str]
) -> None:
    """Write a PNG with a panel for each set: pixels uint8 (N, 3, H, W) and labels (N,), by title.

    Up to six images of each of the first ten classes; rows that no class fills are left out.
    """
    from reports.figures.contact_sheet import draw_contact_sheet  # takes seconds to import

    names = classes[:COLUMNS]
    panels = {title: _tiles(*images, len(names)) for title, images in sets.items()}
    write_atomically(path, draw_contact_sheet(panels, names))


def _tiles(pixels: Tensor, labels: Tensor, classes: int) -> Pixels:
    """(rows, classes, S, S, 3), white where there is no image."""
    columns = [pixels[labels == label][:ROWS].permute(0, 2, 3, 1) for label in range(classes)]
    rows = max(1, *map(len, columns))
    tiles = np.full((rows, classes, pixels.shape[-1], pixels.shape[-1], 3), 255, np.uint8)
    for column, images in enumerate(columns):
        tiles[: len(images), column] = images.numpy()
    return tiles
