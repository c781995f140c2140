"""A table's only figure, drawn as the report does, and small tables that have one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reports.figures.draw import RenderedFigure, draw, render_figures
from reports.figures.style import style_context
from reports.figures.tiles import Pixels
from reports.records import Record
from reports.tables.layout import FigureSpec, Picture, Row, Table, TableCell
from reports.tables.measured import measured_frame
from tests.reports.makers import make_column, make_table

CLASSES = [f"c_{i}" for i in range(10)]
Records = Mapping[str, Record]


def drawn(table: Table, records: Records, runs: Path = Path()) -> Figure:
    """The figure as matplotlib has it."""
    with style_context():
        frame = measured_frame(table, records)
        return draw(table.figures[0], table, frame, records, runs)


def rendered(table: Table, records: Records, runs: Path = Path()) -> RenderedFigure:
    """The figure's files, or why there are none."""
    (found,) = render_figures(table, measured_frame(table, records), records, runs, "t")
    return found


def legend(figure: Figure) -> list[str]:
    """The texts of the legend."""
    return [text.get_text() for text in figure.legends[0].texts]


def figure(kind: Any, **changes: Any) -> FigureSpec:
    """A figure of a type."""
    return FigureSpec(**{"type": kind, "title": "t", "caption": "c"} | changes)


def rows_table(keys: Mapping[str, Sequence[str]], spec: FigureSpec, **changes: Any) -> Table:
    """A row per label with the keys of its seeds, one column; and a figure."""
    rows = [Row(label, {"Row": label}, {"c": TableCell(list(k))}) for label, k in keys.items()]
    seeds = list(range(max(map(len, keys.values()))))
    whole = {"rows": rows, "seeds": seeds, "columns": [make_column("c")], "figures": [spec]}
    return make_table({"c": TableCell([""])}, **(whole | changes))


def grid_table(methods: Mapping[str, str], first_rows: int, classes: Sequence[str]) -> Table:
    """Sample images of methods by their records' keys."""
    pictures = [
        Picture(f"{method}: ResNet-34", "", key, "grid.png", method)
        for method, key in methods.items()
    ]
    spec = figure("image_grid", first_rows=first_rows, classes=list(classes))
    return make_table({"c": TableCell([""])}, pictures=pictures, figures=[spec])


def place(picture: Pixels, tile: Pixels, factor: int) -> tuple[int, int]:
    """Row and column where the picture shows the tile, each pixel ``factor`` wide."""
    wide = tile.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = wide.shape[:2]
    for row, column in np.argwhere((picture == wide[0, 0]).all(axis=-1)):
        if np.array_equal(picture[row : row + height, column : column + width], wide):
            return int(row), int(column)
    raise AssertionError("the tile is not in the picture")
