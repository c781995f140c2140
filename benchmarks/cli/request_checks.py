"""What a run can't do, found before it begins."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.cli.cell_plan import print_plan
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.options import DataPaths
from benchmarks.cli.unused_options import reject_unused_inception
from benchmarks.datasets.load import require
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import is_done
from benchmarks.evaluation.fidelity.extractors import find_extractor
from benchmarks.tables.expand import PlannedTable, cells_of
from benchmarks.training.floor import least_accuracy
from naturalinversion.errors import UsageError
from reports.records import FILE_NAME, RecordError
from reports.records import read as read_record


def check_request(
    planned: Sequence[PlannedTable], paths: DataPaths, execution: RunOptions, json: bool
) -> None:
    """Raises `UsageError` or `MissingError` for what can't be computed so, and without --yes for
    cells of scale paper, whose plan is printed.
    """
    reject_unused_inception(planned, paths)
    machine = execution.machine()
    here = execution.ray_options() is None
    cells = cells_of(planned)
    if not execution.yes and any(t.scale == "paper" for one in planned for t in one.tables):
        about = f"{' '.join(dict.fromkeys(one.name for one in planned))} at scale paper"
        print_plan(about, cells, paths.runs_dir, execution, timing=here, json=json)
        raise UsageError("this is scale paper: add --yes to start it")
    _refuse_below_floor(cells, paths.runs_dir)
    if here:  # a cluster's nodes may have devices, weights and data that this machine has not
        machine.torch_device()
        todo = [cell for cell in cells if not is_done(cell, paths.runs_dir, verify=False)]
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
