"""What several commands do: expand tables, make their cells, write the tables and their report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import Positional

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.help_texts import TABLES, optional
from benchmarks.cli.options import DataPaths, PathOptions, PlanPaths, RecipeOptions
from benchmarks.cli.other_precision import refuse_other_precision
from benchmarks.cli.request_checks import check_request
from benchmarks.cli.shown_tables import tables_shown, write_tables
from benchmarks.cli.unused_options import reject_unused
from benchmarks.engine.cell_runner import KNOWN_ERRORS
from benchmarks.engine.deadline import TimeIsUpError, stop_after
from benchmarks.engine.executor import Summary, run
from benchmarks.synthesis.generate_images import batches_in_order
from benchmarks.tables.expand import PlannedTable, cells_of, expand
from benchmarks.tables.paper_settings import paper_settings
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import read_table, tables
from naturalinversion.errors import UsageError
from reports.records import load_all
from reports.report import Report, write_report
from reports.tables.table_files import table_files

ALL = "all"


@dataclass(frozen=True)
class TableOptions:
    """Options of every command about tables."""

    tables: Annotated[Positional[tuple[str, ...]], optional(TABLES)]
    """table1 fidelity, table2 training from scratch, table3 and table4 ablations, table5
    distillation, figure2 and figure3 images, figure4 t-SNE, figure5 losses, figure6 pruning, or all
    of these; accuracy, of `check`; studies of our own: rivals, budget, images, iterations,
    questions, padding, tuning, split, updates; peers, methods of after the paper. Example:
    table5 --methods di ni --rows vgg11-resnet18"""
    recipe: RecipeOptions = field(default_factory=RecipeOptions)
    paths: PlanPaths = field(default_factory=PlanPaths)
    methods: Annotated[tuple[str, ...], optional("[METHOD [METHOD ...]]")] = ()
    """some of a table's methods, variants (di-paper), or package.module:Class of your own; by
    default the table's"""
    rows: Annotated[tuple[str, ...], optional("[ROW [ROW ...]]")] = ()
    """some rows as teacher-student, e.g. resnet34-resnet18; by default all"""
    teacher: Annotated[str, optional("ARCH")] = ""
    """an architecture in the place of the teacher of each row; by default the table's"""
    json: bool = False
    """print the result as JSON"""

    def planned(self) -> list[PlannedTable]:
        """Each table on each data set, with its cells."""
        if not self.tables:
            raise UsageError(f"which table? {', '.join(tables())}, or {ALL}")
        if (runs := self.paths.runs_dir).exists() and not runs.is_dir():
            raise UsageError(f"--runs-dir {runs}: not a folder")
        paper = [name for name in tables() if read_table(name).in_paper]
        asked = [paper if name == ALL else [name] for name in self.tables]
        names = list(dict.fromkeys(name for some in asked for name in some))
        seeds = self.recipe.seed_list()
        found = []
        for name in names:
            spec = read_table(name)
            given, root = self.paths.given_weights(), self.paths.data_root
            for recipes in self.recipe.recipes(spec.datasets, given, root):
                planned = expand(
                    spec,
                    recipes,
                    seeds,
                    methods=self.methods,
                    rows=self.rows,
                    teacher=self.teacher,
                )
                found.append(planned)
        reject_unused(found, self.recipe, self.paths)
        return found


def run_and_report(
    planned: Sequence[PlannedTable], paths: PathOptions, execution: RunOptions, json: bool
) -> int:
    """Compute all cells, then report what there is; exit code 1 if a cell failed.

    An error or the end of its time is raised once the finished cells are reported; the result is
    printed where it was the time. A signal ends the run at once: the next command reports.
    """
    check_request(planned, paths, execution, json)  # refused before anything is written
    shown = tables_shown(planned, paths.runs_dir)
    refuse_other_precision(shown, cells_of(planned), paths.runs_dir, execution.machine())
    load_all(paths.runs_dir, skip_damaged=True)  # as the report will
    paths.out().mkdir(parents=True, exist_ok=True)
    write_tables(shown, paths.runs_dir)
    summary = Summary()
    try:
        summary = compute_cells(planned, paths, execution, summary)
    except (TimeIsUpError, *KNOWN_ERRORS) as ended:
        try:
            report = report_shown(planned, paths)
        except (OSError, *KNOWN_ERRORS) as error:
            log(f"no report: {error}")
        else:
            if isinstance(ended, TimeIsUpError):
                _print_result(summary, report, json)
        raise
    report = report_shown(planned, paths)
    _print_result(summary, report, json)
    log(f"report: {paths.out() / 'report.html'}")
    return 1 if summary.failed else 0


def _print_result(summary: Summary, report: Report, json: bool) -> None:
    """What was made, and the tables, on stdout."""
    if json:
        print_json(
            {
                "made": summary.computed,
                "found": summary.cached,
                "failed": {name: str(error) for name, error in summary.failed.items()},
                "blocked": summary.blocked,
                "files": [str(path) for path in report.paths],
            }
        )
    else:
        print_result(report.markdown)


def compute_cells(
    planned: Sequence[PlannedTable],
    paths: DataPaths,
    execution: RunOptions,
    summary: Summary | None = None,
) -> Summary:
    """Compute all cells that aren't done, after `check_request`; prints on stderr which failed, and
    which these block, also where an error or the time ends it early.
    """
    summary = summary or Summary()
    if execution.worker_count() > 1 or execution.engine == "ray":
        for cell in cells_of(planned):
            if batches := batches_in_order(cell):
                log(f"{cell.label}: one worker makes its {batches} batches, in order")
    try:
        with stop_after(execution.hours()):
            summary = run(
                [cell for one in planned for cell in one.targets],
                KINDS,
                paths.runs_dir,
                execution.machine(),
                paths.data(),
                execution.worker_count(),
                execution.ray_options(),
                summary,
            )
    finally:
        for error in summary.failed.values():
            log(f"failed: {error}")
        if summary.blocked:
            log(f"not run, because what they need failed: {', '.join(summary.blocked)}")
    return summary


def report_shown(planned: Sequence[PlannedTable], paths: PathOptions) -> Report:
    """Report the tables, on a page with every other one of the runs folder.

    They are written again first: another command may have made other seeds of them meanwhile.
    """
    files = write_tables(tables_shown(planned, paths.runs_dir), paths.runs_dir)
    others = [path for path in table_files(paths.runs_dir) if path not in files]
    report = write_report(paths.runs_dir, paths.out(), files, paper_settings(), others)
    for line in report.left_out:
        log(f"not on the page: {line}")
    return report
