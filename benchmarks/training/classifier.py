"""Train a classifier on the real training split: teachers, and the students' baselines (S.)."""

from functools import partial

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import StepCounts, classifier_of
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.fit import train_and_test
from benchmarks.training.floor import HasFloor
from benchmarks.training.learning_rate import updates_per_epoch
from benchmarks.training.losses import cross_entropy_loss
from benchmarks.training.real_images import load_real, provenance_of, splits
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier


class Recipe(HasFloor, frozen=True, forbid_unknown_fields=True):
    """Which network, its training and its seed."""

    arch: str
    width: float
    seed: int
    training: TrainingRecipe


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Train, test, and keep the weights. Raises `BenchmarkError` below the floor."""
    dataset = load_real(context, recipe)
    description = Classifier(
        recipe.arch,
        len(dataset.classes),
        recipe.width,
        recipe.image_size,
        dataset.mean,
        dataset.std,
    )
    train, test = splits(dataset, context)
    model = description.build(recipe.seed)
    save = partial(save_classifier, context.folder / WEIGHTS, model, description)
    loss, seed = cross_entropy_loss(), recipe.seed
    metrics = train_and_test(
        context, model, train, test, recipe.training, loss, seed, save, recipe.least_accuracy()
    )
    return metrics | {
        **provenance_of(dataset),
        "classes": ", ".join(dataset.classes),
        "train_images": len(dataset.train),
    }


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """Updates on the training split and passes over the test split."""
    training, network = msgspec.convert(cell.recipe, Recipe).training, classifier_of(cell, classes)
    updates = training.epochs * updates_per_epoch(training, train)
    return {
        TrainingStep(network, training.batch_size): updates,
        ForwardStep(network): test * training.evaluations,
    }
