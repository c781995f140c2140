"""What a table asks of its teachers' architectures: refused while it is planned, not in a cell."""

from collections.abc import Sequence
from functools import cache

import msgspec
import torch

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.step_timing import RandomClassifier
from benchmarks.evaluation import pruning, tsne
from benchmarks.evaluation.feature_space import stage_names
from benchmarks.evaluation.l1_pruning import pruned_blocks
from benchmarks.recipes.methods import method_class
from benchmarks.tables.row_cells import RowCells
from naturalinversion.classifiers.outside import is_outside
from naturalinversion.errors import UsageError
from naturalinversion.natural_inversion import NaturalInversion
from naturalinversion.teacher.teacher import Teacher

NARROW = 1 / 16  # as wide as a network has to be to show its stages and blocks


def check_networks(table: str, rows: Sequence[RowCells]) -> None:
    """Raises `UsageError` for a stage, residual blocks or feature maps that a teacher lacks, and
    for an embedding of too few images.

    Networks of somebody's own code are left to the cells.
    """
    for row in rows:
        where = f"{table}, row {row.spec.name}"
        first = {column: cells[0] for column, cells in row.cells.items()}
        for column, cell in first.items():
            if stage := row.measurements[column].stage:
                _check_stage(where, cell, stage)
        for cell in with_inputs(first.values()):
            if cell.kind == "tsne":
                tsne.check(where, msgspec.convert(cell.recipe, tsne.Recipe))
            elif cell.kind == "pruning":
                _check_blocks(where, cell)
            elif cell.kind == "synthesis":
                _check_pyramid(where, cell)


def _check_stage(where: str, cell: Cell, stage: str) -> None:
    if (teacher := _teacher_of(cell)) is None:
        return
    known = [name.replace(" ", "") for name in stage_names(teacher)]
    if stage not in known:
        raise UsageError(f"{where}: teacher {_arch(cell)} has {', '.join(known)}, no {stage}")


def _check_blocks(where: str, cell: Cell) -> None:
    layers = msgspec.convert(cell.recipe, pruning.Recipe).pruning.layers
    if layers == "all" or (teacher := _teacher_of(cell)) is None:
        return
    try:
        pruned_blocks(teacher.model, layers)
    except UsageError as error:
        instead = "--set protocol.pruning.layers=all"
        raise UsageError(f"{where}: teacher {_arch(cell)}: {error} ({instead})") from error


def _check_pyramid(where: str, cell: Cell) -> None:
    settings = cell.recipe["settings"]
    asked = settings.get("pyramid_stages")
    if not asked or not settings.get("pyramid"):
        return
    if not issubclass(method_class(cell.recipe["method"]), NaturalInversion):
        return
    if (teacher := _teacher_of(cell)) is None:
        return
    count = len(teacher.stages)
    if max(asked) > count:
        raise UsageError(
            f"{where}: pyramid_stages is {sorted(asked)}, teacher {_arch(cell)} has 1 to {count}"
        )


def _arch(cell: Cell) -> str:
    return str(cell.inputs["teacher"].recipe["arch"])


def _teacher_of(cell: Cell) -> Teacher | None:
    """A network built like the teacher of ``cell``; None where that is somebody's own."""
    if is_outside(_arch(cell)):
        return None
    return _built(_arch(cell), cell.inputs["teacher"].recipe["image_size"])


@cache
def _built(arch: str, image_size: int) -> Teacher:
    return RandomClassifier(arch, NARROW, image_size, 2).teacher(torch.device("cpu"))
