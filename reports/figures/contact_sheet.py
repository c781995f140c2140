"""Images of several sets below one another, a column for each class.

Every pixel of an image becomes a square of pixels of the PNG; nothing is smoothed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from reports.figures.style import style_context
from reports.figures.tiles import Pixels, join_tiles

DPI = 110
TILE, GAP, MARGIN = 64, 2, 10  # pixels of the PNG: wanted size of an image, gaps, edge
HEAD, FOOT = 34, 32  # for a set's title, and for the names of its columns
TITLE_SIZE, NAME_SIZE = 12, 8  # points


def draw_contact_sheet(panels: Mapping[str, Pixels], names: Sequence[str]) -> bytes:
    """A PNG with a panel for each set of tiles (rows, columns, S, S, 3), by title.

    All sets have as many columns, whose ``names`` stand below each, and one size of images.
    """
    side = next(iter(panels.values())).shape[2]
    factor = max(1, round(TILE / side))
    sheets = {title: join_tiles(tiles, GAP, factor) for title, tiles in panels.items()}
    step, width = side * factor + GAP, next(iter(sheets.values())).shape[1] + 2 * MARGIN
    height = sum(HEAD + len(sheet) + FOOT for sheet in sheets.values()) + MARGIN
    buffer = io.BytesIO()
    with style_context():
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        top = 0
        for title, sheet in sheets.items():
            top += HEAD
            middle = 1 - (top - HEAD / 2) / height
            figure.text(0.5, middle, title, fontsize=TITLE_SIZE, ha="center", va="center")
            bottom = top + len(sheet)
            figure.figimage(sheet, MARGIN, height - bottom)
            for column, name in enumerate(names):
                place = ((MARGIN + (column + 0.5) * step) / width, 1 - (bottom + GAP) / height)
                figure.text(
                    *place, name.replace(" ", "\n"), fontsize=NAME_SIZE, ha="center", va="top"
                )
            top = bottom + FOOT
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
