"""Results that are kept in the repository: records, and the small files that reports show.

``<folder>/runs/`` is a runs folder without weights and images: ``<folder>/report/`` is made from it
as from any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from reports.new_folder import replaced
from reports.records import (
    FILE_NAME,
    Record,
    RecordError,
    folder_of,
    lineage,
    load_all,
    read_artefact,
)
from reports.tables.layout import FIGURE_FILES, Table
from reports.tables.table_files import FOLDER, read, table_files, write

KEPT = Path(__file__).parent / "results"
RUNS, REPORT = Path("runs"), Path("report")
LARGEST = 2_000_000  # bytes of a file that may be kept


def keep(
    runs: Path,
    to: Path,
    *,
    pictures: bool = True,
    report: Callable[[Path], list[Path]] = lambda folder: [],
) -> list[Path]:
    """Copy every table of ``runs`` with its records, theirs, and what figures show to ``to``/runs.

    Samples of images are kept with ``pictures`` only. ``report`` writes more into the folder,
    beside ``runs``, and returns its files. What was kept there before is replaced, as soon as all
    of this is there. Returns the files written. RecordError when there is no table, when a number's
    record is missing, when a file is too large to be kept, can't be copied or is not the one that
    its record names, or when one of the folders lies in the other.
    """
    one, other = runs.resolve(), to.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise RecordError(f"{runs} can't be kept in {to}: one of them lies in the other")
    paths = table_files(runs)
    if not paths:
        raise RecordError(f"{runs / FOLDER}: no table to keep; run a table first")
    records = load_all(runs)
    files: dict[Path, tuple[Record, str]] = {}
    tables = {path: read(path) for path in paths}
    for path, table in tables.items():
        if not pictures:
            others = [figure for figure in table.figures if figure.type != "image_grid"]
            table = tables[path] = replace(table, pictures=[], figures=others)
        wanted = [(key, FILE_NAME) for key in _with_inputs(table, records, path)]
        for key, name in [*wanted, *_shown(table)]:
            if key in records:
                folder = folder_of(runs, records[key])
                files[RUNS / folder.relative_to(runs) / name] = records[key], name
    for source in (*paths, *(folder_of(runs, record) / name for record, name in files.values())):
        if (size := source.stat().st_size) > LARGEST:
            raise RecordError(f"{source}: {size:,} bytes are too many to be kept")
    kept = {RUNS / FOLDER / path.name: table for path, table in tables.items()}
    try:
        with replaced(to) as draft:
            for target, (record, name) in files.items():
                (draft / target).parent.mkdir(parents=True, exist_ok=True)
                (draft / target).write_bytes(read_artefact(record, name, runs))
            for target, table in kept.items():
                write(draft / target, table)
            reported = [path.relative_to(draft) for path in report(draft)]
    except OSError as error:
        where = error.filename or to
        raise RecordError(f"{where}: not kept ({error.strerror or error})") from None
    return [to / target for target in (*kept, *files, *reported)]


def _with_inputs(table: Table, records: Mapping[str, Record], path: Path) -> list[str]:
    """The keys of a table's records and of all that they were made from."""
    own = {key for row in table.rows for cell in row.cells.values() for key in cell.records} - {""}
    found = lineage(own, records)
    needed = own | {key for record in found for key in record.inputs.values()}
    for key in sorted(needed - records.keys()):
        raise RecordError(f"{path}: {key} has no record; run the table to its end first")
    return [record.key for record in found]


def _shown(table: Table) -> Iterator[tuple[str, str]]:
    """Record and file of every picture, and of what a figure reads of each row's first seed."""
    for picture in table.pictures:
        yield picture.record, picture.file
    for figure in table.figures:
        if figure.type in FIGURE_FILES:
            for row in table.rows:
                for key in table.cell(row, table.columns[0]).records[:1]:
                    yield key, FIGURE_FILES[figure.type]
