"""What several commands do: expand tables, make their cells, write their views and their report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import Positional

from benchmarks.cli.console import result, result_json, say
from benchmarks.cli.options import How, What, Where
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.deadline import TimeIsUpError, stop_after
from benchmarks.engine.executor import Summary, run
from benchmarks.evaluation.fidelity.extractors import find_extractor
from benchmarks.tables.expand import Expansion, expand
from benchmarks.tables.paper_settings import paper_settings
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import read_table, tables
from naturalinversion.errors import UsageError
from reports.report import render
from reports.tables.layout import View
from reports.tables.layout import write as write_view

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

    def expansions(self) -> list[Expansion]:
        """The tables' cells and views, one for each table and data set."""
        if not self.tables:
            raise UsageError(f"which table? {', '.join(tables())}, or {ALL}")
        paper = [name for name in tables() if read_table(name).of_paper]
        names = paper if ALL in self.tables else list(dict.fromkeys(self.tables))
        seeds = self.what.seed_list()
        found = []
        for name in names:
            spec = read_table(name)
            for recipes in self.what.recipes(spec.datasets, self.where.given_weights()):
                found.append(expand(spec, recipes, seeds, methods=self.methods, rows=self.rows))
        return found

    def cells(self) -> list[Cell]:
        """Every cell of the tables, inputs before what reads them."""
        return with_inputs([cell for expansion in self.expansions() for cell in expansion.targets])


def finish_tables(expansions: Sequence[Expansion], where: Where, how: How, json: bool) -> int:
    """Make all cells, then report what there is; exit code 1 if a cell failed."""
    how.hours()  # what is wrong is said before anything is written
    views = write_views([view for e in expansions for view in e.views], where.runs_dir)
    try:
        summary = make_cells(expansions, where, how)
    except TimeIsUpError:
        render(where.runs_dir, where.out_dir, views, paper_settings())
        raise
    rendered = render(where.runs_dir, where.out_dir, views, paper_settings())
    if json:
        result_json(
            {
                "made": summary.computed,
                "found": summary.cached,
                "failed": {label: str(error) for label, error in summary.failed.items()},
                "blocked": summary.blocked,
                "files": [str(path) for path in rendered.paths],
            }
        )
    else:
        result(rendered.markdown)
    say(f"report: {where.out_dir / 'report.html'}")
    return 1 if summary.failed else 0


def make_cells(expansions: Sequence[Expansion], where: Where, how: How) -> Summary:
    """Make all cells that aren't done; says on stderr which failed."""
    targets = [cell for expansion in expansions for cell in expansion.targets]
    measured = [cell.recipe["fidelity"] for cell in targets if cell.kind == "fidelity"]
    for name in {protocol["extractor"] for protocol in measured}:  # missing weights are said now
        find_extractor(name, where.inception_weights, where.download)
    with stop_after(how.hours()):
        summary = run(
            targets,
            KINDS,
            where.runs_dir,
            how.machine(),
            where.data(),
            how.worker_count(),
            how.ray_options(),
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


def write_views(views: Sequence[View], runs: Path) -> list[Path]:
    """Write each view where the report looks for it."""
    paths = [
        runs / "views" / f"{v.table}-{v.scale}-{Path(v.dataset.rpartition(':')[2]).name}.json"
        for v in views
    ]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"--dataset: {path.stem} would be written twice")
    for path, view in zip(paths, views, strict=True):
        write_view(path, view)
    return paths
