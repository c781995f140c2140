"""Distil the teacher into a student on finished synthetic images (the offline protocol).

Hinton et al. (2015) as DeepInversion's authors used it (Yin et al., 2020): KL of the softened
predictions times temperature squared, no labels, SGD with two drops, crops and flips.
NaturalInversion's own recipe is in an appendix that is not public.
"""

from collections import Counter
from functools import partial

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import Step, StepCounts, classifier_of
from benchmarks.recipes.schema import TestSplit, TrainingRecipe
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.accuracy import agreement
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.fit import train_and_test
from benchmarks.training.learning_rate import updates_per_epoch
from benchmarks.training.losses import distillation_loss
from benchmarks.training.real_images import ReadsRealImages, load_real, provenance_of, splits
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier, save_classifier
from naturalinversion.seeds import derive
from naturalinversion.teacher.teacher import Teacher


class Recipe(ReadsRealImages, frozen=True, forbid_unknown_fields=True):
    """``images`` says what it sees: the images as they are stored, in teacher space, or made into
    pixels first, as a published data set of them would be. With an input ``initial`` training goes
    on from that student. Without a batch of a method, ``images.count`` real training images are
    what it is distilled on: a control.
    """

    arch: str
    width: float
    seed: int
    training: TrainingRecipe
    temperature: float
    temperature_squared: bool
    images: ImageSelection
    tested_on: TestSplit = "test"


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Train on the images and test on real ones: the test set, or, for choosing, a part of the
    training set that students never see (`Dataset.held_out`; teachers were trained on it).

    ``student_teacher_agreement`` is the share of those to which student and teacher give one class.
    """
    device = context.machine.torch_device()
    teacher_model, teacher_description = load_classifier(context.inputs["teacher"] / WEIGHTS)
    teacher = Teacher.from_classifier(teacher_model, teacher_description, device)
    dataset = whole = load_real(context, recipe)
    if recipe.tested_on == "held-out":
        dataset = dataset.held_out()
    real, test = splits(dataset, context)
    if recipe.images.batches:
        source = DeviceDataset(*recipe.images.load(context)).to(device)
    else:
        source = real.balanced(recipe.images.count, derive(recipe.seed, "real images"))
    description = msgspec.structs.replace(teacher_description, arch=recipe.arch, width=recipe.width)
    if "initial" in context.inputs:
        model, _ = load_classifier(context.inputs["initial"] / WEIGHTS)
    else:
        model = description.build(derive(recipe.seed, "student"))
    loss = distillation_loss(
        teacher, recipe.temperature, temperature_squared=recipe.temperature_squared
    )
    seed = derive(recipe.seed, "distillation")
    save = partial(save_classifier, context.folder / WEIGHTS, model, description)
    metrics = train_and_test(context, model, source, test, recipe.training, loss, seed, save)
    return metrics | {
        "student_teacher_agreement": agreement(model, teacher.model, test),
        "synthetic_images": len(source),
        **provenance_of(whole, len(test)),
    }


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """Updates on the synthetic images, passes over the test split, and one of both networks for
    their agreement.
    """
    recipe = msgspec.convert(cell.recipe, Recipe)
    training = recipe.training
    network, teacher = (classifier_of(c, classes) for c in (cell, cell.inputs["teacher"]))
    updates = training.epochs * updates_per_epoch(training, recipe.images.count)
    steps: Counter[Step] = Counter({TrainingStep(network, training.batch_size, teacher): updates})
    steps[ForwardStep(network)] += test * (training.evaluations + 1)
    steps[ForwardStep(teacher)] += test
    return steps
