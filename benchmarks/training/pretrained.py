"""A classifier in the place of one trained here: somebody's, from a file or by their own code, or a
ready one.
"""

from functools import cache
from pathlib import Path

import torch

from benchmarks.engine.cell import Cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.digests import file_sha256
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.step_timing import StepCounts, classifier_of
from benchmarks.training.accuracy import accuracy
from benchmarks.training.floor import HasFloor
from benchmarks.training.real_images import load_real, provenance_of, splits
from benchmarks.training.training_steps import ForwardStep
from naturalinversion.classifiers import build
from naturalinversion.classifiers.key_mapping import map_keys, renaming_text
from naturalinversion.classifiers.outside import is_outside, plain_name, state_sha256
from naturalinversion.classifiers.ready import weights_of
from naturalinversion.classifiers.weights import (
    WEIGHTS,
    Classifier,
    load_state,
    read_weights,
    save_classifier,
)
from naturalinversion.errors import BenchmarkError, UsageError


class Recipe(HasFloor, frozen=True, forbid_unknown_fields=True):
    """``sha256`` is that of the weights' file, or of the weights that a factory outside has loaded
    itself.

    ``ready`` is the name of one that comes with the library.
    """

    arch: str
    width: float
    sha256: str
    ready: str = ""


def run(context: CellContext, recipe: Recipe) -> Metrics:
    """Fit the weights into the architecture, test it, and keep them as a trained one's are.

    Raises `UsageError` for another file than the recipe's or weights of another network, and
    `BenchmarkError` below the floor: images must be normalised as in the classifier's training.
    """
    path = _weights(context, recipe)
    dataset = load_real(context, recipe)
    classes, size = len(dataset.classes), recipe.image_size
    description = Classifier(recipe.arch, classes, recipe.width, size, dataset.mean, dataset.std)
    model = description.build(0)
    if path is None:
        if (found_sha256 := state_sha256(model)) != recipe.sha256:
            raise UsageError(
                f"{context.label}: {plain_name(recipe.arch)} comes with the weights "
                f"{found_sha256[:12]}… by now, not {recipe.sha256[:12]}…: give the command again"
            )
    elif renamed := load_state(model, read_weights(path), path):
        context.log.info("%s: %s", path, renaming_text(renamed))
    _, test = splits(dataset, context)
    found = accuracy(model.to(context.machine.torch_device()).eval(), test)
    if found < (floor := recipe.least_accuracy()):
        raise BenchmarkError(
            f"test accuracy {found:.1%} is below the recipe's floor {floor:.1%}, "
            "protocol.classifier_floor: other classes, or another normalisation?"
        )
    save_classifier(context.folder / WEIGHTS, model, description)
    return {
        "test_accuracy": found,
        **provenance_of(dataset),
        "classes": ", ".join(dataset.classes),
    }


def _weights(context: CellContext, recipe: Recipe) -> Path | None:
    """The file of the recipe's weights; None where the network's own code loads them."""
    if recipe.ready:
        return weights_of(recipe.ready)
    given = context.data.weights.get(recipe.arch)
    if given is None and is_outside(recipe.arch):
        return None
    if given is None or weights_sha256(given) != recipe.sha256:
        raise UsageError(
            f"{context.label}: needs --weights {recipe.arch}=FILE, {recipe.sha256[:12]}…"
        )
    return given


def fitting_sha256(path: Path, arch: str, classes: int, width: float) -> str:
    """As `weights_sha256`, of a file whose weights are those of such a network.

    Raises `UsageError` when it can't be read or holds others; the network of somebody's own code
    was examined with its weights already.
    """
    sha256 = weights_sha256(path)
    if not is_outside(arch):
        _check_fit(path, sha256, arch, classes, width)
    return sha256


@cache  # every row and seed of a table asks for the same
def _check_fit(path: Path, _sha256: str, arch: str, classes: int, width: float) -> None:
    with torch.device("meta"):
        expected = build(arch, classes, width).state_dict()
    map_keys(read_weights(path), expected, str(path))


def weights_sha256(path: Path) -> str:
    """That of a file of --weights. Raises `UsageError` when it can't be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        raise UsageError(f"--weights {path}: {error.strerror}") from error


def count_steps(cell: Cell, classes: int, train: int, test: int) -> StepCounts:
    """Passes over the test split."""
    return {ForwardStep(classifier_of(cell, classes)): test}
