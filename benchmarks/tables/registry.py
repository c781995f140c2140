"""The kinds of cell, each with the module that has its ``Recipe``, ``run`` and ``count_steps``."""

from benchmarks.datasets.load import sizes
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.kinds import load_kind
from benchmarks.engine.step_timing import StepCounts

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


def count_steps(cell: Cell) -> StepCounts | None:
    """The steps of ``cell``, which can be timed here; None where a method can't be shortened."""
    dataset = next(c.recipe["dataset"] for c in with_inputs([cell]) if "dataset" in c.recipe)
    return load_kind(KINDS, cell.kind).count_steps(cell, *sizes(dataset))
