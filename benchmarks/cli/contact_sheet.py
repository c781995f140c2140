"""Images of several methods side by side, a column for each class, with the classes' names."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from naturalinversion.files import write_atomically

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
    tiles = {title: _tiled(*images, len(names)) for title, images in sets.items()}
    height, width = next(iter(tiles.values())).shape[:2]
    inches = (WIDTH, (WIDTH * height / width + 0.9) * len(sets))
    figure, axes = plt.subplots(len(sets), 1, figsize=inches, squeeze=False, layout="constrained")
    for axis, (title, sheet) in zip(axes[:, 0], tiles.items(), strict=True):
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


def _tiled(pixels: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """(H', W', 3) uint8, white where there is no image."""
    size = pixels.shape[-1] + GAP
    columns = [pixels[labels == label][:ROWS] for label in range(classes)]
    rows = max(1, *(len(column) for column in columns))
    sheet = torch.full((rows * size - GAP, classes * size - GAP, 3), 255, dtype=torch.uint8)
    for column, images in enumerate(columns):
        for row, image in enumerate(images):
            top, left = row * size, column * size
            tile = image.permute(1, 2, 0)
            sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet.numpy()
