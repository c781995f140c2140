"""Tables as files of a runs folder, ``runs/tables/*.json``: written and read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from reports.records import RecordError, read_struct, write_atomically
from reports.tables.layout import GRID_COLUMNS, GRID_ROWS, SCHEMA, FigureSpec, Table

FOLDER = "tables"  # of a runs folder


def table_files(runs: Path) -> list[Path]:
    """The tables of a runs folder."""
    return sorted((runs / FOLDER).glob("*.json"))


def tables_to_report(runs: Path) -> list[Path]:
    """The same, one or more: RecordError if there is none, as where the folder's name is wrong."""
    files = table_files(runs)
    if not files:
        raise RecordError(f"{runs / FOLDER}: no table to report; run a table first")
    return files


def read(path: Path) -> Table:
    """Read a table; RecordError says in one line what is wrong with the file."""
    table = read_struct(path, Table, SCHEMA)
    for fault in _faults(table):
        raise RecordError(f"{path}: {fault}")
    return table


def write(path: Path, table: Table) -> None:
    """Write a table atomically, order of rows, columns and labels kept; RecordError if wrong."""
    for fault in _faults(table):
        raise RecordError(f"{path}: {fault}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(table), indent=2) + b"\n")


def _faults(table: Table) -> Iterator[str]:
    """What the types cannot say: unique ids, labels alike, a key per seed, figures that fit."""
    columns = [column.id for column in table.columns]
    for what, names in (
        ("column", columns),
        ("column title", [column.title for column in table.columns]),
        ("row", [row.id for row in table.rows]),
        ("seed", table.seeds),
    ):
        if not names:
            yield f"no {what}"
        if len(set(names)) < len(names):
            yield f"a {what} appears twice"
    for row in table.rows:
        if not row.labels or list(row.labels) != list(table.rows[0].labels):
            yield f"row {row.id!r} has other labels than the first row, or none"
        for column, cell in row.cells.items():
            where = f"row {row.id!r}, column {column!r}"
            if column not in columns:
                yield f"{where}: no such column"
            if len(cell.records) != len(table.seeds):
                yield f"{where}: {len(cell.records)} record keys for {len(table.seeds)} seeds"
    if len({figure.name for figure in table.figures}) < len(table.figures):
        yield "two figures have one name"
    for figure in table.figures:
        for fault in _figure_faults(figure, table):
            yield f"figure {figure.title!r}: {fault}"
    for picture in table.pictures:
        if Path(picture.file).name != picture.file:
            yield f"picture {picture.file!r} is not a plain file name"


def _figure_faults(figure: FigureSpec, table: Table) -> Iterator[str]:
    if figure.name and not re.fullmatch(r"\w[\w.+-]*", figure.name, re.ASCII):
        yield f"{figure.name!r} cannot be part of a file's name"
    shown = list(figure.levels)
    match figure.type:
        case "image_grid":
            if not 1 <= len(figure.classes) <= GRID_COLUMNS:
                yield f"{len(figure.classes)} class names for {GRID_COLUMNS} columns of tiles"
            if not 1 <= figure.first_rows <= GRID_ROWS:
                yield f"first_rows is {figure.first_rows}, not between 1 and {GRID_ROWS}"
            if not table.pictures:
                yield "the table has no pictures"
        case "lines" if any(row.x is None for row in table.rows):
            yield "a row has no place on its axis"
        case "tradeoff":
            shown += [figure.x, *figure.panels]
        case "budget":
            shown += figure.panels
            if figure.x not in ("seconds", "images"):
                yield f"x is {figure.x!r}, neither seconds nor images"
            if any("Method" not in row.labels or row.x is None for row in table.rows):
                yield "a row has no method or no number of images"
    if figure.type in ("loss_curves", "tradeoff", "budget") and not figure.panels:
        yield "no panel"
    for name in shown:
        if name not in [column.id for column in table.columns]:
            yield f"no column {name!r}"
