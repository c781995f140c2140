"""Run a data-free method against a teacher. Nothing here, or imported here, can read real data."""

import sys
from typing import Any

import msgspec
from torch import nn
from tqdm import tqdm

from benchmarks.engine.cell import Cell
from benchmarks.engine.checkpoints import PREPARE
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.our_warnings import our_warnings_to
from benchmarks.engine.step_timing import RandomClassifier, StepCounts, classifier_of
from benchmarks.recipes.methods import build_method, source_sha256
from benchmarks.synthesis.image_quality import teacher_agreement
from benchmarks.synthesis.synthesis_steps import SynthesisStep
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers.weights import (
    WEIGHTS,
    Classifier,
    load_classifier,
    save_classifier,
)
from naturalinversion.errors import UsageError
from naturalinversion.image_store.meta import IMAGES
from naturalinversion.image_store.sample_grid import GRID, save_grid
from naturalinversion.image_store.shards import retried, shard_path
from naturalinversion.inversion.loss_history import LOSSES, final_losses, save_losses
from naturalinversion.progress import bar
from naturalinversion.seeds import derive
from naturalinversion.synthesis import Batch, Synthesizer, Training, iterations_of, synthesize
from naturalinversion.synthesis.batch_check import count_flat
from naturalinversion.synthesis.synthesizer import is_sequential
from naturalinversion.teacher.teacher import Teacher


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``student`` and ``width`` describe the student that a joint method trains, else nothing.

    Batches are numbered from ``first``: many batches of a method are shared out over cells.
    ``source`` is the sha256 of a method from outside, of the file of its class or of those of all
    base classes: edited code is another cell.
    """

    method: str
    settings: dict[str, Any]
    batches: int
    batch_size: int
    seed: int
    student: str = ""
    width: float = 0.0
    source: str = ""
    first: int = 0


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Fill ``images/``; keep a grid and the losses of the first batch, and a joint student."""
    if (found := source_sha256(recipe.method)) != recipe.source:
        raise UsageError(
            f"{context.label}: the code of {recipe.method} is {found[:12]}… by now, not the "
            f"{recipe.source[:12]}… that was planned: give the command again"
        )
    device = context.machine.torch_device()
    network, trained = load_classifier(context.inputs["teacher"] / WEIGHTS)
    teacher = Teacher.from_classifier(network, trained, device, context.machine.precision)
    synthesizer: Synthesizer = build_method(recipe.method, recipe.settings)
    student, description = _student(context, recipe, teacher)

    def on_batch(index: int, batch: Batch) -> None:
        if index == recipe.first:
            save_losses(context.folder / LOSSES, batch.losses)
        if flat := count_flat(batch.images):
            context.log.warning("batch %d: %d images are of one colour", index, flat)
        ends = {name: round(float(history[-1]), 4) for name, history in batch.losses.items()}
        context.log.info("batch %d done, last losses %s", index, ends)

    if not (context.folder / LOSSES).exists():  # lost, or the process killed before it was written
        shard_path(context.folder / IMAGES, recipe.first).unlink(missing_ok=True)

    def remark(said: str) -> None:
        context.log.warning("%s", said)
        tqdm.write(f"warning: {context.label}: {said}", file=sys.stderr)

    checkpoint = Checkpoint(context.folder / PREPARE)
    with our_warnings_to(remark):
        dataset = synthesize(
            synthesizer,
            teacher,
            context.folder / IMAGES,
            batches=recipe.batches,
            batch_size=recipe.batch_size,
            first=recipe.first,
            seed=derive(recipe.seed, "synthesis"),
            student=student,
            method=recipe.method,
            settings=recipe.settings,
            training=Training(
                restore=checkpoint.restore, save=checkpoint.save, forget=checkpoint.delete
            ),
            on_batch=on_batch,
            progress=lambda steps: bar(steps, context.label),
        )
    if description is not None and student is not None and recipe.student:
        save_classifier(context.folder / WEIGHTS, student, description)
    save_grid(context.folder / GRID, dataset.shards(), dataset.meta)
    again = retried(dataset.folder, range(recipe.first, recipe.first + recipe.batches))
    return {
        "images": len(dataset),
        "batches_retried": len(again),
        "prepare_steps": int(getattr(synthesizer, "prepare_steps", 0)),
        "flat_images": sum(count_flat(images) for images, _ in dataset.shards()),
        **final_losses(context.folder / LOSSES),
        **teacher_agreement(teacher, dataset),
    }


def _student(
    context: CellContext, recipe: Recipe, teacher: Teacher
) -> tuple[nn.Module | None, Classifier | None]:
    """A competing student from its cell, a joint one freshly made, or none."""
    if "student" in context.inputs:
        model, description = load_classifier(context.inputs["student"] / WEIGHTS)
        return model.to(teacher.device), description
    if not recipe.student:
        return None, None
    mean, std = teacher.mean, teacher.std
    description = Classifier(
        recipe.student,
        teacher.num_classes,
        recipe.width,
        teacher.image_shape[-1],
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
    )
    model = description.build(derive(recipe.seed, "student"))
    return model.to(teacher.device), description


def batches_in_order(cell: Cell) -> int:
    """The number of batches of a synthesis cell that one worker makes in order; 0 for others."""
    if cell.kind != "synthesis":
        return 0
    recipe = msgspec.convert(cell.recipe, Recipe)
    return recipe.batches * is_sequential(build_method(recipe.method, recipe.settings))


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts | None:
    """The iterations of all batches, or of what they share; None if the method can't be timed.

    A method says how it is shortened: ``with_iterations``, see `Synthesizer`.
    """
    recipe = msgspec.convert(cell.recipe, Recipe)
    synthesizer = build_method(recipe.method, recipe.settings)
    iterations = iterations_of(synthesizer, recipe.batches)
    if not iterations and getattr(synthesizer, "iterations", None) == 0:
        return {}  # a control that optimises nothing
    if not iterations or not hasattr(synthesizer, "with_iterations"):
        return None
    teacher = classifier_of(cell.inputs["teacher"], classes)
    student = None
    if "student" in cell.inputs:
        student = classifier_of(cell.inputs["student"], classes)
    elif recipe.student:
        student = RandomClassifier(recipe.student, recipe.width, teacher.image_size, classes)
    settings = msgspec.json.encode(recipe.settings, order="sorted")
    return {SynthesisStep(recipe.method, settings, teacher, recipe.batch_size, student): iterations}
