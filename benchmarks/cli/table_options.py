"""What several commands do: expand tables, make their cells, write the tables and their report."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from benchmarks.cli.cell_plan import print_plan
from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.help_texts import TABLES, optional
from benchmarks.cli.options import DataPaths, PathOptions, PlanPaths, RecipeOptions
from benchmarks.cli.other_precision import refuse_other_precision
from benchmarks.cli.unused_options import reject_unused, reject_unused_inception
from benchmarks.datasets.load import require
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.cell_runner import KNOWN_ERRORS, is_done
from benchmarks.engine.deadline import TimeIsUpError, stop_after
from benchmarks.engine.executor import Summary, run
from benchmarks.evaluation.fidelity.extractors import find_extractor
from benchmarks.synthesis.generate_images import batches_in_order
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.paper_settings import paper_settings
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import read_table, tables
from benchmarks.training.floor import least_accuracy
from naturalinversion.errors import UsageError
from reports.records import FILE_NAME, RecordError, SchemaError, load_all
from reports.records import read as read_record
from reports.report import Report, write_report
from reports.tables.layout import Table
from reports.tables.notes import seeds_text
from reports.tables.table_files import FOLDER, read, table_files, write

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

    def cells(self) -> list[Cell]:
        """Every cell of the tables, inputs before what reads them."""
        return with_inputs([cell for planned in self.planned() for cell in planned.targets])


def run_and_report(
    planned: Sequence[PlannedTable], paths: PathOptions, execution: RunOptions, json: bool
) -> int:
    """Compute all cells, then report what there is; exit code 1 if a cell failed.

    What ends the run early is raised once the finished cells are reported; the result is printed
    where that was its time.
    """
    check_request(planned, paths, execution, json)  # refused before anything is written
    shown = tables_shown(planned, paths.runs_dir)
    targets = [cell for one in planned for cell in one.targets]
    refuse_other_precision(shown, targets, paths.runs_dir, execution.machine())
    load_all(paths.runs_dir, skip_damaged=True)  # as the report will
    paths.out().mkdir(parents=True, exist_ok=True)
    write_tables(shown, paths.runs_dir)
    summary = Summary()
    try:
        compute_cells(planned, paths, execution, summary)
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


def check_request(
    planned: Sequence[PlannedTable], paths: DataPaths, execution: RunOptions, json: bool
) -> None:
    """Raises `UsageError` or `MissingError` for what can't be computed so, and without --yes for
    cells of scale paper, whose plan is printed.
    """
    reject_unused_inception(planned, paths)
    machine = execution.machine()
    here = execution.ray_options() is None
    targets = [cell for one in planned for cell in one.targets]
    if not execution.yes and any(t.scale == "paper" for one in planned for t in one.tables):
        about = f"{' '.join(dict.fromkeys(one.name for one in planned))} at scale paper"
        cells = with_inputs(targets)
        print_plan(about, cells, paths.runs_dir, execution, timing=here, json=json)
        raise UsageError("this is scale paper: add --yes to start it")
    _refuse_below_floor(with_inputs(targets), paths.runs_dir)
    if here:  # a cluster's nodes may have devices, weights and data that this machine has not
        machine.torch_device()
        todo = [c for c in with_inputs(targets) if not is_done(c, paths.runs_dir, verify=False)]
        _require_files(todo, paths)


def _refuse_below_floor(cells: Sequence[Cell], runs: Path) -> None:
    """Raises `UsageError` for a classifier made under a lower floor than is asked for now."""
    for cell in cells:
        floor, file = least_accuracy(cell.recipe), cell.folder(runs) / FILE_NAME
        if floor and file.exists():
            with suppress(RecordError):  # damaged: it is made again
                found = read_record(file).metrics.get("test_accuracy")
                if isinstance(found, float) and found < floor:
                    raise UsageError(
                        f"{cell.label} has {found:.1%} test accuracy, below the floor {floor:.1%}, "
                        "protocol.classifier_floor"
                    )


def _require_files(todo: Sequence[Cell], paths: DataPaths) -> None:
    """Missing weights and data are an error now, not hours later. Raises `MissingError`."""
    measured = [cell.recipe["fidelity"] for cell in todo if cell.kind == "fidelity"]
    for name in {protocol["extractor"] for protocol in measured}:
        find_extractor(name, paths.inception_weights, paths.download)
    if not paths.download:
        read = [cell.recipe["dataset"] for cell in todo if "dataset" in cell.recipe]
        for name in dict.fromkeys(read):
            require(name, paths.data_root)


def compute_cells(
    planned: Sequence[PlannedTable],
    paths: DataPaths,
    execution: RunOptions,
    summary: Summary | None = None,
) -> Summary:
    """Compute all cells that aren't done, after `check_request`; prints on stderr which failed,
    also where an error or the time ends it early.
    """
    summary = summary or Summary()
    targets = [cell for one in planned for cell in one.targets]
    if execution.worker_count() > 1 or execution.engine == "ray":
        for cell in with_inputs(targets):
            if batches := batches_in_order(cell):
                log(f"{cell.label}: one worker makes its {batches} batches, in order")
    try:
        with stop_after(execution.hours()):
            run(
                targets,
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
    made = {path.parent.name.rpartition("-")[2] for path in runs.glob(f"*/*/{FILE_NAME}")}
    known = made.union(*(_keys(table, table.seeds) for table in planned.tables))
    for table in planned.tables:
        before = read_existing(path_of(table, runs))
        if before is None or before.name != table.name:
            continue
        known |= _keys(before, before.seeds)
        cells = [cell.records for row in before.rows for cell in row.cells.values()]
        for index, seed in enumerate(before.seeds):
            own = {keys[index] for keys in cells if keys.count(keys[index]) == 1}
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
