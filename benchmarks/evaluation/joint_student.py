"""Test the student of a joint method (DAFL, DFAD), as it is when its generator is trained."""

from collections import Counter

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import RandomClassifier, Step, StepCounts, classifier_of
from benchmarks.recipes.schema import TestSplit
from benchmarks.training.accuracy import accuracy, agreement
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of, splits
from benchmarks.training.training_steps import ForwardStep
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """Which images it is tested on."""

    tested_on: TestSplit = "test"


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """The student's accuracy as it is after the last epoch of its generator, and for which share
    of the test images it gives the class that the teacher gives.
    """
    device = context.machine.torch_device()
    model, _ = load_classifier(context.inputs["images"] / WEIGHTS)
    model = model.to(device)
    teacher, _ = load_classifier(context.origins["images"]["teacher"] / WEIGHTS)
    dataset = whole = load_real(context, recipe)
    if recipe.tested_on == "held-out":
        dataset = dataset.held_out()
    _, test = splits(dataset, context)
    return {
        "test_accuracy": accuracy(model, test),
        "student_teacher_agreement": agreement(model, teacher.to(device).eval(), test),
        **provenance_of(whole, len(test)),
    }


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """One pass over the test split, and one of both networks for their agreement."""
    images = cell.inputs["images"]
    arch, width = images.recipe["student"], images.recipe["width"]
    network = RandomClassifier(arch, width, cell.recipe["image_size"], classes)
    teacher = classifier_of(images.inputs["teacher"], classes)
    steps: Counter[Step] = Counter({ForwardStep(network): 2 * test})
    steps[ForwardStep(teacher)] += test
    return steps
