"""The kinds of cell, each with the module that has its ``Recipe``, ``run`` and ``workload``."""

from benchmarks.datasets.load import sizes
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.kinds import load_kind
from benchmarks.engine.workloads import Workload

KINDS = {
    "classifier": "benchmarks.training.classifier",
    "pretrained": "benchmarks.training.pretrained",
    "synthesis": "benchmarks.synthesis.generate_images",
    "distillation": "benchmarks.evaluation.distillation",
    "joint_student": "benchmarks.evaluation.joint_student",
    "scratch": "benchmarks.evaluation.scratch",
    "fidelity": "benchmarks.evaluation.fidelity.fidelity",
    "pruning": "benchmarks.evaluation.pruning",
    "tsne": "benchmarks.evaluation.tsne",
    "wgan_gp": "benchmarks.training.wgan_reference",
}


def workload(cell: Cell) -> Workload:
    """What making ``cell`` takes, in steps that can be timed."""
    dataset = next(c.recipe["dataset"] for c in with_inputs([cell]) if "dataset" in c.recipe)
    return load_kind(KINDS, cell.kind).workload(cell, *sizes(dataset))
