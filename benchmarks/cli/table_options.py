"""What several commands do: expand tables, make their cells, write the tables and their report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import Positional

from benchmarks.cli.console import result, result_json, say
from benchmarks.cli.options import How, What, Where
from benchmarks.engine.cell import Cell, closure
from benchmarks.engine.deadline import TimeIsUpError, stop_after
from benchmarks.engine.executor import Summary, run
from benchmarks.evaluation.fidelity.extractors import find
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.paper_settings import protocol_values
from benchmarks.tables.spec import read_table, tables
from naturalinversion.errors import UsageError
from reports.report import write_report
from reports.tables.layout import Table
from reports.tables.table_files import FOLDER, write

ALL = "all"


@dataclass(frozen=True)
class OfTables:
    """What commands about tables have in common."""

    tables: Positional[tuple[str, ...]]
    """table1 to table5, figure2 to figure6, or all of these; accuracy and studies of our own:
    iterations, questions, padding"""
    what: What = field(default_factory=What)
    where: Where = field(default_factory=Where)
    methods: tuple[str, ...] = ()
    """some of a table's methods, or package.module:Class of your own; default: the table's"""
    rows: tuple[str, ...] = ()
    """some rows as teacher-student, e.g. resnet34-resnet18; default: all"""
    json: bool = False
    """print the result as JSON"""

    def planned(self) -> list[PlannedTable]:
        """Each table on each data set, with its cells."""
        if not self.tables:
            raise UsageError(f"which table? {', '.join(tables())}, or {ALL}")
        paper = [name for name in tables() if read_table(name).in_paper]
        names = paper if ALL in self.tables else list(dict.fromkeys(self.tables))
        seeds = self.what.seed_list()
        found = []
        for name in names:
            spec = read_table(name)
            for book in self.what.books(spec.datasets, self.where.given_weights()):
                found.append(expand(spec, book, seeds, methods=self.methods, rows=self.rows))
        return found

    def cells(self) -> list[Cell]:
        """Every cell of the tables, inputs before what reads them."""
        return closure([cell for planned in self.planned() for cell in planned.targets])


def finish_tables(planned: Sequence[PlannedTable], where: Where, how: How, json: bool) -> int:
    """Make all cells, then report what there is; exit code 1 if a cell failed."""
    how.hours()  # what is wrong is said before anything is written
    files = write_tables([table for one in planned for table in one.tables], where.runs_dir)
    try:
        summary = make_cells(planned, where, how)
    except TimeIsUpError:
        write_report(where.runs_dir, where.out_dir, files, protocol_values())
        raise
    report = write_report(where.runs_dir, where.out_dir, files, protocol_values())
    if json:
        result_json(
            {
                "made": summary.made,
                "found": summary.found,
                "failed": {label: str(error) for label, error in summary.failed.items()},
                "blocked": summary.blocked,
                "files": [str(path) for path in report.paths],
            }
        )
    else:
        result(report.markdown)
    say(f"report: {where.out_dir / 'report.html'}")
    return 1 if summary.failed else 0


def make_cells(planned: Sequence[PlannedTable], where: Where, how: How) -> Summary:
    """Make all cells that aren't done; says on stderr which failed."""
    targets = [cell for one in planned for cell in one.targets]
    for name in {cell.recipe["extractor"] for cell in targets if cell.kind == "fidelity"}:
        find(name, where.inception_weights, where.download)  # missing weights are said now
    with stop_after(how.hours()):
        summary = run(
            targets,
            where.runs_dir,
            how.machine(),
            where.data(),
            how.worker_count(),
            how.cluster(),
        )
    for error in summary.failed.values():
        say(f"failed: {error}")
    if summary.blocked:
        say(f"not run, because what they need failed: {', '.join(summary.blocked)}")
    return summary


def refuse_by_hand(what: What, where: Where) -> None:
    """Accepted numbers are of the recipes as they are. Raises `UsageError`."""
    if what.set or where.weights:
        raise UsageError("accepted numbers are of the recipes: not with --set or --weights")


def write_tables(tables: Sequence[Table], runs: Path) -> list[Path]:
    """Write each table where the report looks for it."""
    paths = [runs / FOLDER / f"{table.file_stem}.json" for table in tables]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"--dataset: {path.stem} would be written twice")
    for path, table in zip(paths, tables, strict=True):
        write(path, table)
    return paths
