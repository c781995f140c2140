"""What a figure is made of. The harness writes it, `reports.figures.draw` draws it.

A figure names record keys and files in their folders, never values. This module imports no plotting
library, so a view can hold figures at no cost.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

GRID_ROWS, GRID_COLUMNS = 6, 10  # of the pictures that a synthesis cell leaves, grid.png


class GridRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One method's picture: ``file`` is a grid of 6 x 10 tiles in the folder of ``record``."""

    label: str
    record: str
    file: str = "grid.png"


class Grids(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="grids"):
    """Figures 2 and 3: the ``first_rows`` rows of each grid, stacked, under the class names."""

    name: str
    title: str
    caption: str
    columns: list[str]
    rows: list[GridRow]
    first_rows: int


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a CSV file against its column ``iteration``."""

    title: str
    column: str
    log: bool = False


class Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record whose CSV file is one curve of every panel."""

    label: str
    record: str


class Curves(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="curves"):
    """Figure 5: the course of loss terms, a panel per term."""

    name: str
    title: str
    caption: str
    panels: list[Panel]
    series: list[Series]
    file: str = "losses.csv"


class Scatter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="scatter"):
    """Figure 4: a CSV file with the columns stage, set, x, y; a panel per stage.

    ``names`` says how a set is called in print, if not as in the file.
    """

    name: str
    title: str
    caption: str
    record: str
    file: str = "embedding.csv"
    names: dict[str, str] = {}


class LineSeries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: for every x the keys of its records, one per seed ("" = not planned).

    ``factor`` is what the metric is multiplied by. ``dotted`` is for a second metric, such as the
    accuracy before fine-tuning; "NI (before)" has the colour and marker of "NI".
    """

    label: str
    records: list[list[str]]
    metric: str
    factor: float = 100.0
    dotted: bool = False


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A horizontal dashed line at the mean over ``records``, one key per seed."""

    label: str
    records: list[str]
    metric: str
    factor: float = 100.0


class Lines(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="lines"):
    """Figure 6: means over seeds against ``x``, with the range of the seeds."""

    name: str
    title: str
    caption: str
    x_label: str
    y_label: str
    x: list[float]
    series: list[LineSeries]
    levels: list[Level] = []


class Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A metric of some records, one key per seed; ``factor`` is what it is multiplied by."""

    records: list[str]
    metric: str
    factor: float = 1.0

    @property
    def label(self) -> str:
        """For messages."""
        return self.metric


class Course(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: what it cost and what it gave, point by point."""

    label: str
    x: list[Values]
    y: list[Values]


class TradeoffPanel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One quality against the cost."""

    title: str
    courses: list[Course]


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vertical line at a measured cost."""

    label: str
    x: Values


class Tradeoff(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="tradeoff"):
    """Qualities against a cost, which is a measured metric on a log axis, a panel per quality.

    ``published`` is the cost that the paper pays, 0 for none.
    """

    name: str
    title: str
    caption: str
    x_label: str
    panels: list[TradeoffPanel]
    marks: list[Mark] = []
    published: float = 0.0


Figure: TypeAlias = Grids | Curves | Scatter | Lines | Tradeoff


def faults(figure: Figure) -> Iterator[str]:
    """Each fault in one line, without the figure's name."""
    if not re.fullmatch(r"\w[\w.+-]*", figure.name, re.ASCII):
        yield f"{figure.name!r} cannot be the name of a file"
    files: list[str] = []
    match figure:
        case Grids():
            files = [row.file for row in figure.rows]
            yield from _unlike("row", [row.label for row in figure.rows])
            if not 1 <= len(figure.columns) <= GRID_COLUMNS:
                yield f"{len(figure.columns)} class names for {GRID_COLUMNS} columns of tiles"
            if not 1 <= figure.first_rows <= GRID_ROWS:
                yield f"first_rows is {figure.first_rows}, not between 1 and {GRID_ROWS}"
        case Curves():
            files = [figure.file]
            yield from _unlike("panel", [panel.title for panel in figure.panels])
            yield from _unlike("series", [series.label for series in figure.series])
        case Scatter():
            files = [figure.file]
        case Lines():
            yield from _unlike("series", [series.label for series in figure.series])
            yield from _unlike("level", [level.label for level in figure.levels] or ["none"])
            if not figure.x or any(a >= b for a, b in itertools.pairwise(figure.x)):
                yield "x is empty or not increasing"
            for series in figure.series:
                if len(series.records) != len(figure.x):
                    yield f"{series.label!r} has {len(series.records)} points for {len(figure.x)} x"
        case Tradeoff():
            yield from _unlike("panel", [panel.title for panel in figure.panels])
            for panel in figure.panels:
                yield from _unlike("course", [course.label for course in panel.courses])
                for course in panel.courses:
                    if len(course.x) != len(course.y):
                        yield f"{course.label!r} has {len(course.y)} points for {len(course.x)} x"
    for file in files:
        if not file or Path(file).name != file:
            yield f"{file!r} is not a plain file name"


def _unlike(what: str, labels: Sequence[str]) -> Iterator[str]:
    if not labels:
        yield f"no {what}"
    if len(set(labels)) < len(labels):
        yield f"a {what} appears twice"
