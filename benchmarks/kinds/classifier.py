"""Train a classifier on the real training split: teachers, and the students' baselines (S.)."""

import msgspec

from benchmarks.cells import Cell
from benchmarks.datasets import load
from benchmarks.errors import BenchmarkError
from benchmarks.kinds import Metrics
from benchmarks.kinds.outcome import evaluations, finish, splits
from benchmarks.models import Classifier
from benchmarks.training import TrainingRecipe, cross_entropy_loss
from benchmarks.training.recipe import updates_per_epoch
from benchmarks.work import Work
from benchmarks.workloads import TestStep, TrainingStep, Workload, network_of


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``floor`` is the test accuracy below which the cell fails: a bad teacher spoils a table."""

    arch: str
    dataset: str
    width: float
    image_size: int
    seed: int
    training: TrainingRecipe
    floor: float = 0.0


def run(work: Work, recipe: Recipe) -> Metrics:
    """Train, test, and keep the weights. Raises `BenchmarkError` below the floor."""
    dataset = load(
        recipe.dataset,
        root=work.data.root,
        image_size=recipe.image_size,
        download=work.data.download,
    )
    description = Classifier(
        recipe.arch,
        len(dataset.classes),
        recipe.width,
        recipe.image_size,
        dataset.mean,
        dataset.std,
    )
    train, test = splits(dataset, work)
    model = description.build(recipe.seed)
    metrics = finish(
        work, model, description, train, test, recipe.training, cross_entropy_loss(), recipe.seed
    )
    accuracy = metrics["test_accuracy"]
    if isinstance(accuracy, float) and accuracy < recipe.floor:
        raise BenchmarkError(
            f"{work.title}: test accuracy {accuracy:.1%} is below the recipe's floor "
            f"{recipe.floor:.1%}"
        )
    return metrics | {"data_fingerprint": dataset.fingerprint}


def workload(cell: Cell, classes: int, train: int, test: int) -> Workload:
    """Updates on the training split and passes over the test split."""
    recipe = msgspec.convert(cell.recipe, Recipe).training
    network = network_of(cell, classes)
    return {
        TrainingStep(network, recipe.batch_size): recipe.epochs * updates_per_epoch(recipe, train),
        TestStep(network): test * evaluations(recipe),
    }
