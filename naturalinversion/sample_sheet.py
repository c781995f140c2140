"""A plain sheet of pictures, row by row, for images that have no classes."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from naturalinversion.files import write_atomically
from naturalinversion.sample_grid import COLUMNS, GAP, ROWS, SCALE

PLACES = ROWS * COLUMNS


def save_sheet(path: Path, pixels: Tensor) -> None:
    """Write a PNG of the first sixty of ``pixels`` (N, 3, H, W) uint8, six rows of ten.

    Fewer images leave white places.
    """
    height, width = pixels.shape[-2:]
    down, right = height + GAP, width + GAP
    sheet = np.full((ROWS * down - GAP, COLUMNS * right - GAP, 3), 255, dtype=np.uint8)
    for place, image in enumerate(pixels[:PLACES]):
        top, left = place // COLUMNS * down, place % COLUMNS * right
        sheet[top : top + height, left : left + width] = image.permute(1, 2, 0).numpy()
    picture = Image.fromarray(sheet)
    picture = picture.resize(
        (picture.width * SCALE, picture.height * SCALE), Image.Resampling.NEAREST
    )
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())
