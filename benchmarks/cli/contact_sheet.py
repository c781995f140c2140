"""Images of several methods side by side, a column for each class, with the classes' names."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from naturalinversion.files import write_atomically
from reports.figures.tiles import Pixels, join_tiles

ROWS, COLUMNS = 6, 10  # images of a class, and classes
GAP = 2  # pixels between images
WIDTH = 8.0  # inches


def save_contact_sheet(
    path: Path, sets: Mapping[str, tuple[Tensor, Tensor]], classes: Sequence[str]
) -> None:
    """Write a PNG with a panel for each set: pixels uint8 (N, 3, H, W) and labels (N,), by title.

    Up to six images of each of the first ten classes; rows that no class fills are left out.
    """
    import matplotlib.pyplot as plt

    names = classes[:COLUMNS]
    sheets = {title: join_tiles(_tiles(*images, len(names)), GAP) for title, images in sets.items()}
    height, width = next(iter(sheets.values())).shape[:2]
    inches = (WIDTH, (WIDTH * height / width + 0.9) * len(sets))
    figure, axes = plt.subplots(len(sets), 1, figsize=inches, squeeze=False, layout="constrained")
    for axis, (title, sheet) in zip(axes[:, 0], sheets.items(), strict=True):
        axis.imshow(sheet, interpolation="nearest")
        axis.set_title(title)
        step = sheet.shape[1] / len(names)
        axis.set_xticks([step * (index + 0.5) for index in range(len(names))], names)
        axis.tick_params(axis="x", length=0, labelsize=8)
        axis.set_yticks([])
        for side in axis.spines.values():
            side.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    write_atomically(path, buffer.getvalue())


def _tiles(pixels: Tensor, labels: Tensor, classes: int) -> Pixels:
    """(rows, classes, S, S, 3), white where there is no image."""
    columns = [pixels[labels == label][:ROWS].permute(0, 2, 3, 1) for label in range(classes)]
    rows = max(1, *map(len, columns))
    tiles = np.full((rows, classes, pixels.shape[-1], pixels.shape[-1], 3), 255, np.uint8)
    for column, images in enumerate(columns):
        tiles[: len(images), column] = images.numpy()
    return tiles
