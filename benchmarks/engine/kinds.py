"""What a kind of cell is: a module with a typed ``Recipe`` and ``run(context, recipe)``."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext

if TYPE_CHECKING:
    from benchmarks.engine.workloads import Workload

Metrics = dict[str, float | int | str | list[float]]
Kinds = Mapping[str, str]  # a kind's name -> the module that makes its cells


class Kind(Protocol):
    """What a kind's module offers."""

    Recipe: type[Any]

    def run(self, context: CellContext, recipe: Any) -> Metrics:
        """Do the work in ``context.folder`` and return the metrics."""

    def workload(self, cell: Cell, classes: int, train: int, test: int) -> "Workload":
        """What ``run`` will do, for a data set of so many classes and images."""


def load_kind(kinds: Kinds, name: str) -> Kind:
    """The module of a kind; imported late, so that synthesis never loads what reads real data."""
    return importlib.import_module(kinds[name])
