"""The sample picture that every set of images has: 6 x 10 tiles, a column per class.

Tiles lie side by side at their native size.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from reports.records import Record, RecordError, folder_of, read_artefact
from reports.tables.layout import GRID_COLUMNS, GRID_ROWS

Pixels: TypeAlias = npt.NDArray[np.uint8]


def read_tiles(record: Record, file: str, runs: Path) -> Pixels:
    """The tiles (6, 10, S, S, 3) of a record's picture at their native size, in RGB.

    RecordError if it is not a PNG of such tiles; and as `read_artefact`.
    """
    path = folder_of(runs, record) / file
    data = read_artefact(record, file, runs)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            pixels: Pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise RecordError(f"{path}: not a PNG") from None
    height, width = pixels.shape[:2]
    side = width // GRID_COLUMNS
    if not side or [height, width] != [GRID_ROWS * side, GRID_COLUMNS * side]:
        raise RecordError(
            f"{path}: {width} x {height} pixels are no grid of {GRID_COLUMNS} x {GRID_ROWS} tiles"
        )
    return pixels.reshape(GRID_ROWS, side, GRID_COLUMNS, side, 3).swapaxes(1, 2)


def join_tiles(tiles: Pixels, gap: int, factor: int = 1) -> Pixels:
    """Tiles (rows, columns, S, S, 3) as one picture with white gaps, each pixel ``factor`` wide."""
    rows, columns, side = tiles.shape[0], tiles.shape[1], tiles.shape[2] * factor
    step = side + gap
    picture: Pixels = np.full((rows * step - gap, columns * step - gap, 3), 255, np.uint8)
    for row, column in np.ndindex(rows, columns):
        tile = tiles[row, column].repeat(factor, axis=0).repeat(factor, axis=1)
        picture[row * step : row * step + side, column * step : column * step + side] = tile
    return picture
