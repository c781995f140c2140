"""Views: what a table is made of. The harness writes them, the reports read them.

A view names record keys, never values: rows x columns of cells, one key per seed, beside the
published number. Every column has a metric of its own. Published numbers are in the unit shown
(93.72 for 93.72 %), metrics in records are fractions for accuracies and are shown times 100 when
the unit is ``%``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from reports.figures.spec import Figure
from reports.figures.spec import faults as figure_faults
from reports.records import RecordError, read_struct, write_atomically

SCHEMA = 2

Role = Literal["baseline", "method"]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of one metric; ``detail`` stands below the title (protocol, extractor, images).

    ``method`` is the title of the method whose numbers these are, if they are of one. Only columns
    of role ``method`` compete for best and second best, those of a ``group`` with each other.
    """

    id: str
    title: str
    role: Role
    metric: str
    detail: str = ""
    unit: str = ""
    higher_is_better: bool = True
    method: str = ""
    group: str = ""
    note: str = ""

    @property
    def factor(self) -> float:
        """What a record's metric is multiplied by to be shown."""
        return 100.0 if self.unit == "%" else 1.0


class ViewCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number: a record key per seed of the view ("" = not planned) and what was published.

    ``claim`` is the id of the published number (`reports.published`), ``footnote`` a key of the
    view's ``footnotes``, ``metric`` the record's metric where it is not the column's.
    """

    records: list[str]
    published: float | None
    reimplemented: bool = False
    footnote: str = ""
    claim: str = ""
    metric: str = ""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: its ordered labels (Dataset, Teacher, Student) and its cells by column id."""

    id: str
    labels: dict[str, str]
    cells: dict[str, ViewCell]
    role: Role = "method"
    method: str = ""


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PNG inside the folder of a cell, usually ``grid.png`` of a synthesis cell."""

    title: str
    caption: str
    record: str
    file: str


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table at one scale, measured on one data set, beside what was published.

    ``contest`` says where best and second best are looked for: along each row, or down each column.
    ``assumed`` is what nobody published about how the numbers were made, ``overrides`` what was
    set by hand instead of taken from the recipes.
    """

    schema: int = SCHEMA
    table: str
    title: str
    caption: str
    scale: str
    dataset: str
    published_dataset: str
    seeds: list[int]
    columns: list[Column]
    rows: list[Row]
    pictures: list[Picture]
    assumed: list[str] = []
    overrides: list[str] = []
    contest: Literal["row", "column"] = "row"
    figures: list[Figure] = []
    footnotes: dict[str, str] = {}

    @property
    def name(self) -> str:
        """Short name for messages and anchors, such as ``table5-demo-digits``."""
        return f"{self.table}-{self.scale}-{self.dataset}"

    @property
    def on_published_data(self) -> bool:
        """Whether the measured and the published numbers are of the same data set."""
        return _plain(self.dataset) == _plain(self.published_dataset)


def read(path: Path) -> View:
    """Read a view; RecordError says in one line what is wrong with the file."""
    view = read_struct(path, View, SCHEMA)
    for fault in _faults(view):
        raise RecordError(f"{path}: {fault}")
    return view


def write(path: Path, view: View) -> None:
    """Write a view atomically, order of rows, columns and labels kept; RecordError if wrong."""
    for fault in _faults(view):
        raise RecordError(f"{path}: {fault}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(view), indent=2) + b"\n")


def _faults(view: View) -> Iterator[str]:
    """What the types cannot say: unique ids, like labels, a key per seed, footnotes that exist."""
    columns = [column.id for column in view.columns]
    for what, names in (
        ("column", columns),
        ("column title", [column.title for column in view.columns]),
        ("row", [row.id for row in view.rows]),
        ("seed", view.seeds),
    ):
        if not names:
            yield f"no {what}"
        if len(set(names)) < len(names):
            yield f"a {what} appears twice"
    for row in view.rows:
        if list(row.labels) != list(view.rows[0].labels):
            yield f"row {row.id!r} has other labels than the first row"
        for column, cell in row.cells.items():
            where = f"row {row.id!r}, column {column!r}"
            if column not in columns:
                yield f"{where}: no such column"
            if len(cell.records) != len(view.seeds):
                yield f"{where}: {len(cell.records)} record keys for {len(view.seeds)} seeds"
            if cell.footnote and cell.footnote not in view.footnotes:
                yield f"{where}: no footnote {cell.footnote!r}"
    if len({figure.name for figure in view.figures}) < len(view.figures):
        yield "two figures have one name"
    for figure in view.figures:
        for fault in figure_faults(figure):
            yield f"figure {figure.name!r}: {fault}"
    for picture in view.pictures:
        if Path(picture.file).name != picture.file:
            yield f"picture {picture.file!r} is not a plain file name"


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
