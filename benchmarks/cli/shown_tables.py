"""The tables of a runs folder that a command writes, with the seeds that they had before."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cli.console import log
from benchmarks.tables.expand import PlannedTable
from naturalinversion.errors import UsageError
from reports.records import RecordError, SchemaError, record_files
from reports.tables.layout import Table
from reports.tables.notes import seeds_text
from reports.tables.table_files import FOLDER, read, write


def tables_shown(planned: Sequence[PlannedTable], runs: Path) -> list[Table]:
    """All tables, `with_seeds_shown`."""
    return [table for one in planned for table in with_seeds_shown(one, runs)]


def with_seeds_shown(planned: PlannedTable, runs: Path) -> list[Table]:
    """The tables, of the seeds asked for and of those that they were shown with before and have a
    record of.

    Every number of such a seed is recorded, or was planned before as it is now, or comes with those
    asked for: after an edit of a method nobody may be about to make the others.
    """
    seeds = {seed for table in planned.tables for seed in table.seeds}
    shown: set[int] = set()
    made = {key for key, _ in record_files(runs)}
    asked = set[str]().union(*(_keys(table, table.seeds) for table in planned.tables))
    known = made | asked
    for table in planned.tables:
        before = read_existing(path_of(table, runs))
        if before is None or before.name != table.name:
            continue
        known |= _keys(before, before.seeds)
        cells = [cell.records for row in before.rows for cell in row.cells.values()]
        for index, seed in enumerate(before.seeds):
            own = {keys[index] for keys in cells if keys.count(keys[index]) == 1}
            if seed not in seeds:
                own -= asked  # what other seeds share with it, such as a ready teacher
            shown |= {seed} if own & made else set()
    if shown <= seeds:
        return planned.tables
    tables = planned.tables_of(sorted(seeds | shown))
    kept = {seed for seed in shown if all(_keys(table, [seed]) <= known for table in tables)}
    if gone := sorted(shown - seeds - kept):
        log(f"{tables[0].name}: no numbers of {seeds_text(gone)}, which were made otherwise")
    return tables if shown <= kept | seeds else planned.tables_of(sorted(seeds | kept))


def _keys(table: Table, seeds: Sequence[int]) -> set[str]:
    """The records that the numbers of these seeds are read from."""
    cells = [cell.records for row in table.rows for cell in row.cells.values()]
    return {keys[table.seeds.index(seed)] for keys in cells for seed in seeds}


def path_of(table: Table, runs: Path) -> Path:
    """Where the report looks for a table; not in place of another data set's of that name."""
    path = runs / FOLDER / f"{table.file_stem}.json"
    before = read_existing(path)
    if before is None or before.name == table.name:
        return path
    digest = hashlib.sha256(table.name.encode()).hexdigest()[:8]
    return path.with_name(f"{table.file_stem}-{digest}.json")


def read_existing(path: Path) -> Table | None:
    """The table of a file, or None where there is none that can be read.

    Raises `SchemaError` for one of another version: it is neither used nor overwritten.
    """
    try:
        return read(path) if path.is_file() else None
    except SchemaError:
        raise
    except RecordError:
        return None


def write_tables(tables: Sequence[Table], runs: Path) -> list[Path]:
    """Write each table where the report looks for it."""
    paths = [path_of(table, runs) for table in tables]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"--dataset: {path.stem} would be written twice")
    for path, table in zip(paths, tables, strict=True):
        write(path, table)
    return paths
