"""Figures 2 and 3: tiles of the cells' own grids, a column per class, methods stacked.

Every pixel of a tile becomes a square of pixels of the PNG; nothing is smoothed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from reports.figures.artefacts import read_artefact
from reports.figures.axes import plain, text_width
from reports.figures.drawn import Missing
from reports.figures.spec import GRID_COLUMNS, GRID_ROWS, GridRow, Grids
from reports.figures.style import DPI, MUTED
from reports.records import Record, RecordError, folder_of

GRID_GAP, GRID_SCALE = 2, 2  # of grid.png: pixels between tiles, and what all is enlarged by
TILE, GAP, BETWEEN, MARGIN = 128, 6, 18, 12  # pixels of the PNG: wanted size, gaps, edge
SIZE = 8.0  # points

Pixels: TypeAlias = npt.NDArray[np.uint8]


def draw_grids(figure: Grids, records: Mapping[str, Record], runs: Path) -> Figure | Missing:
    """The stacked grids; a row whose record is missing says "not run".

    RecordError if a picture is not a grid, or the tiles of two differ in size.
    """
    grids = [
        _tiles(records[row.record], row, runs) if row.record in records else None
        for row in figure.rows
    ]
    shapes = {grid.shape[2] for grid in grids if grid is not None}
    if not shapes:
        return Missing("not run: " + ", ".join(plain(row.label) for row in figure.rows))
    if len(shapes) > 1:
        sizes = " and ".join(f"{size}" for size in sorted(shapes))
        raise RecordError(f"{figure.name}: tiles of {sizes} pixels do not go together")
    side = shapes.pop()
    factor = max(1, round(TILE / side))
    count = len(figure.columns)
    blank: Pixels = np.full((1, count, side, side, 3), 255, np.uint8)
    strips = [
        _strip(blank if grid is None else grid[: figure.first_rows, :count], factor)
        for grid in grids
    ]
    return _stack(figure, strips, [grid is not None for grid in grids], side * factor)


def _stack(figure: Grids, strips: list[Pixels], run: list[bool], side: int) -> Figure:
    """Strips (H, W, 3) below one another, labels at their left, class names above."""
    labels = [plain(row.label, 16) for row in figure.rows]
    heads = [plain(name, 30) for name in figure.columns]
    gutter = MARGIN + round(DPI * max(text_width(label, SIZE) for label in labels)) + 2 * MARGIN
    widest = round(DPI * max(text_width(head, SIZE) for head in heads))
    turned = widest > side
    lean = round(widest * 0.71) + MARGIN if turned else 0
    top = (lean if turned else 24) + 2 * MARGIN
    width = gutter + strips[0].shape[1] + max(MARGIN, lean - side // 2)
    height = top + sum(len(strip) + BETWEEN for strip in strips) - BETWEEN + MARGIN
    drawn = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    for index, head in enumerate(heads):
        drawn.text(
            (gutter + index * (side + GAP) + side / 2) / width,
            1 - (top - MARGIN) / height,
            head,
            fontsize=SIZE,
            **({"rotation": 45, "rotation_mode": "anchor"} if turned else {"ha": "center"}),
        )
    upper = top
    for strip, label, present in zip(strips, labels, run, strict=True):
        middle = 1 - (upper + len(strip) / 2) / height
        left, across = (gutter - 2 * MARGIN) / width, strip.shape[1] / width
        drawn.text(left, middle, label, fontsize=SIZE, ha="right", va="center")
        box = (gutter / width, 1 - (upper + len(strip)) / height, across, len(strip) / height)
        if present:
            axes = drawn.add_axes(box)
            axes.imshow(strip, aspect="auto", interpolation="none")
            axes.set_axis_off()
        else:
            drawn.text(gutter / width, middle, "not run", fontsize=SIZE, color=MUTED, va="center")
        upper += len(strip) + BETWEEN
    return drawn


def _strip(tiles: Pixels, factor: int) -> Pixels:
    """Tiles (rows, columns, S, S, 3) as one white-gapped picture, each pixel ``factor`` wide."""
    rows, columns, side = tiles.shape[0], tiles.shape[1], tiles.shape[2] * factor
    step = side + GAP
    sheet: Pixels = np.full((rows * step - GAP, columns * step - GAP, 3), 255, np.uint8)
    for row, column in np.ndindex(rows, columns):
        tile = tiles[row, column].repeat(factor, axis=0).repeat(factor, axis=1)
        sheet[row * step : row * step + side, column * step : column * step + side] = tile
    return sheet


def _tiles(record: Record, row: GridRow, runs: Path) -> Pixels:
    """All tiles of a record's grid (6, 10, S, S, 3), at their native size."""
    path = folder_of(runs, record) / row.file
    data = read_artefact(record, row.file, runs)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            pixels: Pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise RecordError(f"{path}: not a PNG") from None
    height, width = pixels.shape[:2]
    step = (width // GRID_SCALE + GRID_GAP) // GRID_COLUMNS
    expected = [(count * step - GRID_GAP) * GRID_SCALE for count in (GRID_ROWS, GRID_COLUMNS)]
    if step <= GRID_GAP or [height, width] != expected:
        raise RecordError(
            f"{path}: {width} x {height} pixels are no grid of {GRID_COLUMNS} x {GRID_ROWS} tiles"
        )
    native = pixels[::GRID_SCALE, ::GRID_SCALE]
    side = step - GRID_GAP
    return np.array(
        [
            [native[r * step :, c * step :][:side, :side] for c in range(GRID_COLUMNS)]
            for r in range(GRID_ROWS)
        ]
    )
