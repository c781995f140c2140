"""Numbers in one precision, and a run that would put others beside them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.engine.cell import Cell
from benchmarks.engine.machine import Machine
from naturalinversion.errors import UsageError
from naturalinversion.precision import effective_precision
from reports.records import FILE_NAME, Record, RecordError, SchemaError, read
from reports.tables.layout import Column, Table
from reports.tables.measured import NOT_STATED, stated_by


def refuse_other_precision(
    tables: Sequence[Table], targets: Sequence[Cell], runs: Path, machine: Machine
) -> None:
    """Raises `UsageError` where a column of ``tables`` has numbers in another precision than those
    of ``targets`` that are still to be computed: no table can be made of both.
    """
    here = effective_precision(machine.device, machine.precision)
    of_tables = {
        key for table in tables for column in table.columns for key in _keys(table, column)
    }
    records = {record.key: record for record in _records(of_tables, runs)}
    to_do = {cell.key for cell in targets if cell.kind != "pretrained"} - records.keys()
    for table in tables:
        for column in table.columns:
            keys = _keys(table, column)
            made = {
                str(stated_by("--precision", records[k], records)) for k in keys & records.keys()
            }
            others = sorted(made - {here, NOT_STATED})
            if others and keys & to_do:
                raise UsageError(
                    f"{table.name}: column {column.title} has numbers in {' and '.join(others)}, "
                    f"this run computes in {here}: {_remedy(others, machine)}"
                )


def _keys(table: Table, column: Column) -> set[str]:
    return {key for row in table.rows for key in table.cell(row, column).records} - {""}


def _records(keys: set[str], runs: Path) -> Iterator[Record]:
    """Those of ``keys``; a damaged one is none, as its cell is made again."""
    for path in runs.glob(f"*/*/{FILE_NAME}"):
        if path.parent.name.rpartition("-")[2] not in keys:
            continue
        try:
            yield read(path)
        except SchemaError:
            raise
        except RecordError:
            continue


def _remedy(others: Sequence[str], machine: Machine) -> str:
    """What to do about it; a CPU can't go on in tf32."""
    elsewhere = "another --runs-dir"
    if len(others) > 1 or (others == ["tf32"] and machine.device == "cpu"):
        return f"take {elsewhere}"
    return f"give --precision {others[0]}, or {elsewhere}"
