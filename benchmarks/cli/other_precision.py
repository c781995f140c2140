"""Numbers and images in one precision, and a run that would put others beside them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.machine import Machine
from naturalinversion.errors import StoreError, UsageError
from naturalinversion.image_store.meta import IMAGES, read_meta
from naturalinversion.precision import effective_precision
from reports.records import Record, RecordError, SchemaError, read, record_files
from reports.tables.layout import Column, Table
from reports.tables.measured import NOT_STATED, stated_by


def refuse_other_precision(
    tables: Sequence[Table], targets: Sequence[Cell], runs: Path, machine: Machine
) -> None:
    """Raises `UsageError` where a column of ``tables`` has numbers, or numbers of images, in
    another precision than those of ``targets`` that are still to be computed: no table can be made
    of both. So it does where images were begun in another one, as nothing goes on with these.
    """
    here = effective_precision(machine.device, machine.precision)
    made = _Made.find(tables, targets, runs)

    def refuse_others(found: Iterable[str], where: str) -> None:
        if others := sorted(set(found) - {here, NOT_STATED}):
            raise UsageError(
                f"{where} in {' and '.join(others)}, this run computes in {here}: "
                f"{_remedy(others, machine)}"
            )

    for key in made.to_do:
        refuse_others(_begun_in(made.cells[key], runs), f"{made.cells[key].label} has images begun")
    for table in tables:
        for column in table.columns:
            keys = _keys(table, column)
            if not keys & made.to_do:
                continue
            where = f"{table.name}: column {column.title} has numbers"
            refuse_others(made.precisions(keys), where)
            if keys & made.to_be_made_of_new_images():
                refuse_others(made.precisions_of_images(keys), f"{where} of images")


@dataclass(frozen=True)
class _Made:
    """The cells of a run, by key, and the records of these and of all that its tables show."""

    cells: Mapping[str, Cell]
    records: Mapping[str, Record]
    to_do: Set[str]

    @classmethod
    def find(cls, tables: Sequence[Table], targets: Sequence[Cell], runs: Path) -> "_Made":
        cells = {cell.key: cell for cell in with_inputs(targets)}
        shown = {
            key for table in tables for column in table.columns for key in _keys(table, column)
        }
        records = {record.key: record for record in _records(shown | cells.keys(), runs)}
        read = {key for record in records.values() for key in record.inputs.values()}
        records |= {record.key: record for record in _records(read - records.keys(), runs)}
        computed_here = {cell.key for cell in cells.values() if cell.kind != "pretrained"}
        return cls(cells, records, computed_here - records.keys())

    def to_be_made_of_new_images(self) -> set[str]:
        """What reads images that are still to be made."""
        return {key for key, cell in self.cells.items() if _images(cell) & self.to_do}

    def precisions(self, keys: Set[str]) -> set[str]:
        """Of those numbers that there are."""
        found = [self.records[key] for key in keys & self.records.keys()]
        return {str(stated_by("--precision", record, self.records)) for record in found}

    def precisions_of_images(self, keys: Set[str]) -> set[str]:
        """Of those that there are among the images that the numbers are made of, or will be."""
        planned = [_images(self.cells[key]) for key in keys & self.cells.keys()]
        known = [{*self.records[key].inputs.values()} for key in keys & self.records.keys()]
        read = [self.records[i] for i in set().union(*planned, *known) & self.records.keys()]
        return {record.provenance.precision for record in read if record.kind == "synthesis"}


def _images(cell: Cell) -> set[str]:
    """The keys of the images that a cell reads."""
    return {read.key for read in cell.inputs.values() if read.kind == "synthesis"}


def _begun_in(cell: Cell, runs: Path) -> list[str]:
    """In which precision the images of a cell were begun; empty where that isn't known."""
    if cell.kind != "synthesis":
        return []
    try:
        found = read_meta(cell.folder(runs) / IMAGES).precision
    except StoreError:
        return []
    return [found] if found else []


def _keys(table: Table, column: Column) -> set[str]:
    return {key for row in table.rows for key in table.cell(row, column).records} - {""}


def _records(keys: set[str], runs: Path) -> Iterator[Record]:
    """Those of ``keys``; a damaged one is none, as its cell is made again."""
    for key, path in record_files(runs):
        if key not in keys:
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
