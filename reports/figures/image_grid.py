"""Figures 2 and 3: sample images of every method, stacked, a column per class.

Every pixel of a tile becomes a square of pixels of the PNG; nothing is smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from reports.figures.axes import text_width, wrap_label
from reports.figures.style import DPI, MUTED
from reports.figures.tiles import Pixels, join_tiles, read_tiles
from reports.records import NotRunError, Record, RecordError
from reports.tables.layout import FigureSpec, Table

TILE, GAP, BETWEEN, MARGIN = 128, 6, 18, 12  # pixels of the PNG: wanted size, gaps, edge
SIZE = 8.0  # points


def draw_image_grid(
    figure: FigureSpec, table: Table, records: Mapping[str, Record], runs: Path
) -> Figure:
    """The table's pictures below one another; one whose record is missing says "not run".

    RecordError if a picture is not a grid, or the tiles of two differ in size.
    """
    methods = [picture.method for picture in table.pictures]
    unlike = all(methods) and len(set(methods)) == len(methods)
    labels = methods if unlike else [picture.title for picture in table.pictures]
    grids = [
        read_tiles(records[picture.record], picture.file, runs)
        if picture.record in records
        else None
        for picture in table.pictures
    ]
    sides = sorted({grid.shape[2] for grid in grids if grid is not None})
    if not sides:
        raise NotRunError(f"not run: {', '.join(map(wrap_label, labels))}")
    if len(sides) > 1:
        raise RecordError(f"tiles of {' and '.join(map(str, sides))} pixels do not go together")
    count, factor = len(figure.classes), max(1, round(TILE / sides[0]))
    blank: Pixels = np.full((1, count, sides[0], sides[0], 3), 255, np.uint8)
    strips = [
        join_tiles(blank if grid is None else grid[: figure.first_rows, :count], GAP, factor)
        for grid in grids
    ]
    run = [grid is not None for grid in grids]
    return _stack(figure.classes, labels, strips, run, sides[0] * factor)


def _stack(
    classes: Sequence[str],
    labels: Sequence[str],
    strips: Sequence[Pixels],
    run: Sequence[bool],
    side: int,
) -> Figure:
    """Strips (H, W, 3) below one another, labels at their left, class names above."""
    labels = [wrap_label(label, 16) for label in labels]
    heads = [wrap_label(name, 30) for name in classes]
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
