"""The kinds of cell: a name, and the module with its ``Recipe`` and ``run``."""

import importlib

from benchmarks.engine.kinds import Kind

KINDS = {
    "classifier": "benchmarks.training.classifier",
    "given_classifier": "benchmarks.training.pretrained",
    "synthesis": "benchmarks.synthesis.generate_images",
    "student": "benchmarks.evaluation.distillation",
    "joint_student": "benchmarks.evaluation.joint_student",
    "scratch": "benchmarks.evaluation.scratch",
    "fidelity": "benchmarks.evaluation.fidelity.fidelity",
    "pruned": "benchmarks.evaluation.pruning",
    "embedding": "benchmarks.evaluation.tsne",
    "wgan_gp": "benchmarks.training.wgan_reference",
}


def kind(name: str) -> Kind:
    """The module of a kind; imported late, so that synthesis never loads what reads real data."""
    return importlib.import_module(KINDS[name])
