"""Test the student that grew together with a generator (DAFL, DFAD: the joint protocol)."""

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import RandomClassifier, StepCounts
from benchmarks.training.accuracy import accuracy
from benchmarks.training.real_images import load_real, splits
from benchmarks.training.training_steps import ForwardStep
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which test split."""

    dataset: str
    image_size: int


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """The student's accuracy as it is after the last epoch of its generator."""
    model, _ = load_classifier(context.inputs["images"] / WEIGHTS)
    dataset = load_real(context, recipe.dataset, recipe.image_size)
    _, test = splits(dataset, context)
    return {"test_accuracy": accuracy(model.to(context.machine.torch_device()), test)}


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """One pass over the test split."""
    grown = cell.inputs["images"].recipe
    network = RandomClassifier(grown["student"], grown["width"], cell.recipe["image_size"], classes)
    return {ForwardStep(network): test}
