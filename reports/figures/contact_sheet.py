"""Images of several sets below one another, a column for each class.

Every pixel of an image becomes a square of pixels of the PNG; nothing is smoothed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from reports.figures.axes import text_width
from reports.figures.style import style_context
from reports.figures.tiles import Pixels, join_tiles

DPI = 110
TILE, GAP, MARGIN = 64, 2, 10  # pixels of the PNG: wanted size of an image, gaps, edge
HEAD, LINE = 34, 15  # of a set's title, and of a line of the names below it
TITLE_SIZE, NAME_SIZE = 12, 8  # points


def draw_contact_sheet(panels: Mapping[str, Pixels], names: Sequence[str]) -> bytes:
    """A PNG with a panel for each set of tiles (rows, columns, S, S, 3), by title.

    All sets have as many columns, whose ``names`` stand below each, a word a line, and one size of
    images.
    """
    side = next(iter(panels.values())).shape[2]
    factor = max(1, round(TILE / side))
    sheets = {title: join_tiles(tiles, GAP, factor) for title, tiles in panels.items()}
    step, across = side * factor + GAP, next(iter(sheets.values())).shape[1]
    with style_context():
        titles = [round(DPI * text_width(title, TITLE_SIZE)) for title in sheets]
    width = max(across, *titles) + 2 * MARGIN
    left, foot = (width - across) // 2, MARGIN + LINE * max(len(name.split()) for name in names)
    height = sum(HEAD + len(sheet) + foot for sheet in sheets.values())
    buffer = io.BytesIO()
    with style_context():
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
        top = 0
        for title, sheet in sheets.items():
            top += HEAD
            middle = 1 - (top - HEAD / 2) / height
            figure.text(0.5, middle, title, fontsize=TITLE_SIZE, ha="center", va="center")
            bottom = top + len(sheet)
            figure.figimage(sheet, left, height - bottom)
            for column, name in enumerate(names):
                place = ((left + (column + 0.5) * step) / width, 1 - (bottom + GAP) / height)
                words = "\n".join(name.split())
                figure.text(*place, words, fontsize=NAME_SIZE, ha="center", va="top")
            top = bottom + foot
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
