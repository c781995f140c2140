"""Prune the teacher in one shot and fine-tune what is left on synthetic images (Figure 6).

Which filters go: `l1_pruning`. The paper gives epochs and learning rate of the fine-tuning,
not its loss: cross-entropy with the labels the images were made for, as with real images, or KL to
the unpruned network's softened predictions, which needs no labels.
"""

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import StepCounts, classifier_of
from benchmarks.evaluation.l1_pruning import PrunedClassifier, example_of, prune, save_pruned
from benchmarks.recipes.schema import PruningProtocol
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.fit import train_and_test
from benchmarks.training.learning_rate import updates_per_epoch
from benchmarks.training.losses import cross_entropy_loss, distillation_loss
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of, splits
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier
from naturalinversion.errors import UsageError
from naturalinversion.seeds import derive
from naturalinversion.teacher.teacher import Teacher


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """``arch``, ``width`` and ``image_size`` are the teacher's, the temperature distillation's."""

    arch: str
    width: float
    seed: int
    ratio: float
    pruning: PruningProtocol
    temperature: float
    temperature_squared: bool
    images: ImageSelection


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Prune, fine-tune, test on the real test split, and keep the weights.

    Raises `UsageError` for a recipe that names another network than the teacher, or no images.
    """
    device = context.machine.torch_device()
    path = context.inputs["teacher"] / WEIGHTS
    (model, classifier), (intact, _) = load_classifier(path), load_classifier(path)
    teacher = Teacher.from_classifier(intact, classifier, device)
    found = (classifier.arch, classifier.width, classifier.image_size)
    if found != (recipe.arch, recipe.width, recipe.image_size):
        raise UsageError(f"{context.label}: the recipe's network is not the teacher's, {found}")
    if not recipe.images.batches:
        raise UsageError(
            f"{context.label}: fine-tuning needs synthetic images, the recipe names none"
        )
    source = DeviceDataset(*recipe.images.load(context)).to(device)
    dataset = load_real(context, recipe)
    _, test = splits(dataset, context)
    pruned = prune(model, example_of(classifier), recipe.ratio, recipe.pruning.layers)
    context.log.info("filters left: %s", pruned.filters)
    before = {
        "unpruned_accuracy": accuracy(teacher.model, test),
        "untuned_accuracy": accuracy(model.to(device), test),
        "flops_before": pruned.flops_before,
        "flops_after": pruned.flops_after,
        "parameters_before": pruned.parameters_before,
        "parameters_after": pruned.parameters_after,
    }
    description = PrunedClassifier(classifier, recipe.ratio, recipe.pruning.layers, pruned.kept)

    def store() -> None:
        save_pruned(context.folder / WEIGHTS, model, description)

    loss = cross_entropy_loss()
    if recipe.pruning.loss == "distillation":
        loss = distillation_loss(
            teacher, recipe.temperature, temperature_squared=recipe.temperature_squared
        )
    seed = derive(recipe.seed, "pruning")
    after = train_and_test(context, model, source, test, recipe.pruning.training, loss, seed, store)
    return before | after | {"synthetic_images": len(source), **provenance_of(dataset)}


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """Updates on the synthetic images and passes over the test split, as if nothing were pruned."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    training, network = recipe.pruning.training, classifier_of(cell, classes)
    updates = training.epochs * updates_per_epoch(training, recipe.images.count)
    teacher = network if recipe.pruning.loss == "distillation" else None
    return {
        TrainingStep(network, training.batch_size, teacher): updates,
        ForwardStep(network): test * (training.evaluations + 2),
    }
