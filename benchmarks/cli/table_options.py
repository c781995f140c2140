"""What several commands do: expand tables, compute their cells, write views and the report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import Positional

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.options import PathOptions, RecipeOptions, RunOptions
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
class TableOptions:
    """Options of every command about tables."""

    tables: Positional[tuple[str, ...]]
    """table1 to table5, figure2 to figure6, or all of these; accuracy and studies of our own:
    iterations, questions, padding"""
    recipe: RecipeOptions = field(default_factory=RecipeOptions)
    paths: PathOptions = field(default_factory=PathOptions)
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
        seeds = self.recipe.seed_list()
        found = []
        for name in names:
            spec = read_table(name)
            for recipes in self.recipe.recipes(spec.datasets, self.paths.given_weights()):
                found.append(expand(spec, recipes, seeds, methods=self.methods, rows=self.rows))
        return found

    def cells(self) -> list[Cell]:
        """Every cell of the tables, inputs before what reads them."""
        return with_inputs([cell for expansion in self.expansions() for cell in expansion.targets])


def run_and_report(
    expansions: Sequence[Expansion], paths: PathOptions, execution: RunOptions, json: bool
) -> int:
    """Compute all cells, then report what there is; exit code 1 if a cell failed."""
    execution.hours()  # a wrong value is reported before anything is written
    views = write_views([view for e in expansions for view in e.views], paths.runs_dir)
    try:
        summary = compute_cells(expansions, paths, execution)
    except TimeIsUpError:
        render(paths.runs_dir, paths.out_dir, views, paper_settings())
        raise
    rendered = render(paths.runs_dir, paths.out_dir, views, paper_settings())
    if json:
        print_json(
            {
                "made": summary.computed,
                "found": summary.cached,
                "failed": {label: str(error) for label, error in summary.failed.items()},
                "blocked": summary.blocked,
                "files": [str(path) for path in rendered.paths],
            }
        )
    else:
        print_result(rendered.markdown)
    log(f"report: {paths.out_dir / 'report.html'}")
    return 1 if summary.failed else 0


def compute_cells(
    expansions: Sequence[Expansion], paths: PathOptions, execution: RunOptions
) -> Summary:
    """Compute all cells that aren't done; prints on stderr which failed."""
    targets = [cell for expansion in expansions for cell in expansion.targets]
    measured = [cell.recipe["fidelity"] for cell in targets if cell.kind == "fidelity"]
    for name in {
        protocol["extractor"] for protocol in measured
    }:  # missing weights are reported now
        find_extractor(name, paths.inception_weights, paths.download)
    with stop_after(execution.hours()):
        summary = run(
            targets,
            KINDS,
            paths.runs_dir,
            execution.machine(),
            paths.data(),
            execution.worker_count(),
            execution.ray_options(),
        )
    for error in summary.failed.values():
        log(f"failed: {error}")
    if summary.blocked:
        log(f"not run, because what they need failed: {', '.join(summary.blocked)}")
    return summary


def reject_overrides(recipe: RecipeOptions, paths: PathOptions) -> None:
    """Accepted numbers are of the recipes as they are. Raises `UsageError`."""
    if recipe.set or paths.weights:
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
