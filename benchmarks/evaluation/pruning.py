"""Prune the teacher in one shot and fine-tune what is left on synthetic images (Figure 6).

Which filters go: `l1_pruning`. The paper gives epochs and learning rate of the fine-tuning,
not its loss: cross-entropy with the labels the images were made for, as with real images, or KL to
the unpruned network's softened predictions, which needs no labels.
"""

from functools import partial
from typing import Literal

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import Work
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.workloads import TestStep, TrainingStep, Workload, network_of
from benchmarks.evaluation.l1_pruning import Layers, prune
from benchmarks.evaluation.pruned_models import PrunedClassifier, example_of, save_pruned
from benchmarks.synthesis.image_sets import synthetic_source
from benchmarks.training.accuracy import accuracy
from benchmarks.training.fit import evaluations, train_and_test
from benchmarks.training.losses import cross_entropy_loss, distillation_loss
from benchmarks.training.real_images import load_real, splits
from benchmarks.training.recipe import TrainingRecipe, updates_per_epoch
from naturalinversion.classifiers.weights import WEIGHTS, as_teacher, load_classifier
from naturalinversion.errors import UsageError
from naturalinversion.seeds import derive


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``arch``, ``width`` and ``image_size`` are the teacher's; ``temperature`` is distillation's.

    ``batches`` says how many batches to take of ``images0``, ``images1``, …, and ``images`` how
    many images of them all, 0 for every one.
    """

    arch: str
    dataset: str
    width: float
    image_size: int
    seed: int
    ratio: float
    layers: Layers
    loss: Literal["cross_entropy", "distillation"]
    temperature: float
    training: TrainingRecipe
    batches: list[int]
    images: int = 0


def run(work: Work, recipe: Recipe) -> Metrics:
    """Prune, fine-tune, test on the real test split, and keep the weights.

    Raises `UsageError` for a recipe that names another network than the teacher, or no images.
    """
    device = work.machine.torch_device()
    path = work.inputs["teacher"] / WEIGHTS
    (model, classifier), (intact, _) = load_classifier(path), load_classifier(path)
    teacher = as_teacher(intact, classifier, device)
    found = (classifier.arch, classifier.width, classifier.image_size)
    if found != (recipe.arch, recipe.width, recipe.image_size):
        raise UsageError(f"{work.title}: the recipe's network is not the teacher's, {found}")
    if not recipe.batches:
        raise UsageError(f"{work.title}: fine-tuning needs synthetic images, the recipe names none")
    source = synthetic_source(work, recipe.batches, recipe.images).to(device)
    _, test = splits(load_real(work, recipe.dataset, recipe.image_size), work)
    pruned = prune(model, example_of(classifier), recipe.ratio, recipe.layers)
    work.log.info("filters left: %s", pruned.filters)
    before = {
        "unpruned_accuracy": accuracy(teacher.model, test),
        "untuned_accuracy": accuracy(model.to(device), test),
        "flops_before": pruned.flops_before,
        "flops_after": pruned.flops_after,
        "parameters_before": pruned.parameters_before,
        "parameters_after": pruned.parameters_after,
    }
    description = PrunedClassifier(classifier, recipe.ratio, recipe.layers, pruned.kept)
    save = partial(save_pruned, work.folder / WEIGHTS, model, description)
    loss = cross_entropy_loss()
    if recipe.loss == "distillation":
        loss = distillation_loss(teacher, recipe.temperature)
    seed = derive(recipe.seed, "pruning")
    after = train_and_test(work, model, source, test, recipe.training, loss, seed, save)
    return before | after | {"synthetic_images": len(source)}


def workload(cell: Cell, classes: int, train: int, test: int) -> Workload:
    """Updates on the synthetic images and passes over the test split, as if nothing were pruned."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    images = sum(
        count * int(cell.inputs[f"images{index}"].recipe["batch_size"])
        for index, count in enumerate(recipe.batches)
    )
    training, network = recipe.training, network_of(cell, classes)
    updates = training.epochs * updates_per_epoch(training, recipe.images or images)
    teacher = network if recipe.loss == "distillation" else None
    return {
        TrainingStep(network, training.batch_size, teacher): updates,
        TestStep(network): test * (evaluations(training) + 2),
    }
