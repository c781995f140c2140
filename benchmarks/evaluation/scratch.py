"""Train a network from scratch on synthetic images and the labels they were made for (Table 2).

Kim et al. (2022), "From Scratch": no teacher helps, cross-entropy with the labels, and the number
is the accuracy on the real *training* split; the test split's is in an appendix that is not public.
The labels are those in the store: a method's targets, or the teacher's answers where a method has
no targets (DAFL). Real images are normalised as the synthetic ones were.
"""

from dataclasses import replace
from functools import partial

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import StepCounts, classifier_of
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.fit import train_and_test
from benchmarks.training.learning_rate import updates_per_epoch
from benchmarks.training.losses import cross_entropy_loss
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of, splits
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.seeds import derive


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """The network, its training, and which synthetic images it is trained on."""

    arch: str
    width: float
    seed: int
    training: TrainingRecipe
    images: ImageSelection


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Train on the synthetic images, test on both real splits. ``train_accuracy`` is the number."""
    meta = recipe.images.meta(context)
    source = DeviceDataset(*recipe.images.load(context)).to(context.machine.torch_device())
    dataset = load_real(context, recipe)
    train, test = (replace(s, mean=source.mean, std=source.std) for s in splits(dataset, context))
    description = Classifier(
        recipe.arch,
        meta.num_classes,
        recipe.width,
        recipe.image_size,
        (meta.mean[0], meta.mean[1], meta.mean[2]),
        (meta.std[0], meta.std[1], meta.std[2]),
    )
    model = description.build(derive(recipe.seed, "scratch"))
    loss, seed = cross_entropy_loss(), derive(recipe.seed, "scratch", "training")
    save = partial(save_classifier, context.folder / WEIGHTS, model, description)
    metrics = train_and_test(context, model, source, test, recipe.training, loss, seed, save)
    return metrics | {
        "train_accuracy": accuracy(model, train),
        "synthetic_images": len(source),
        **provenance_of(dataset),
    }


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """Updates on the synthetic images, passes over the test split and one over the other."""
    recipe = msgspec.convert(cell.recipe, Recipe)
    training = recipe.training
    network = classifier_of(cell, classes)
    updates = training.epochs * updates_per_epoch(training, recipe.images.count)
    return {
        TrainingStep(network, training.batch_size): updates,
        ForwardStep(network): train + test * training.evaluations,
    }
