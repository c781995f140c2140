"""The kinds of cell. A kind is a module with a typed ``Recipe`` and ``run(work, recipe)``.

``run`` returns the record's metrics; ``images`` among them counts as the cell's images. To add a
kind, add a module and its line here.
"""

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.cells import Cell
from benchmarks.work import Work

if TYPE_CHECKING:
    from benchmarks.workloads import Workload

KINDS = {
    "classifier": "benchmarks.kinds.classifier",
    "given_classifier": "benchmarks.kinds.given_classifier",
    "synthesis": "benchmarks.kinds.synthesis",
    "student": "benchmarks.kinds.student",
    "joint_student": "benchmarks.kinds.joint_student",
    "scratch": "benchmarks.kinds.scratch",
    "fidelity": "benchmarks.kinds.fidelity",
    "pruned": "benchmarks.kinds.pruned",
    "embedding": "benchmarks.kinds.embedding",
    "wgan_gp": "benchmarks.kinds.wgan_gp",
}

Metrics = dict[str, float | int | str | list[float]]


class Kind(Protocol):
    """What a kind's module offers."""

    Recipe: type[Any]

    def run(self, work: Work, recipe: Any) -> Metrics:
        """Do the work in ``work.folder`` and return the metrics."""

    def workload(self, cell: Cell, classes: int, train: int, test: int) -> "Workload":
        """What ``run`` will do, for a data set of so many classes and images."""


def kind(name: str) -> Kind:
    """The module of a kind; imported late, so that synthesis never loads what reads real data."""
    return importlib.import_module(KINDS[name])
