"""What a kind of cell is: a module with a typed ``Recipe`` and ``run(context, recipe)``."""

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.step_timing import StepCounts

Metrics = dict[str, float | int | str | list[float]]
Kinds = Mapping[str, str]  # a kind's name -> the module that computes its cells


class Kind(Protocol):
    """What a kind's module offers."""

    Recipe: type[Any]

    def run(self, context: CellContext, recipe: Any) -> Metrics:
        """Write the artefacts to ``context.folder`` and return the metrics."""

    def count_steps(self, cell: Cell, classes: int, train: int, test: int) -> StepCounts | None:
        """The steps of ``run`` for a data set of so many classes and images; None: unknown."""


def load_kind(kinds: Kinds, name: str) -> Kind:
    """The module of a kind; imported late, so that synthesis never loads what reads real data."""
    return importlib.import_module(kinds[name])
