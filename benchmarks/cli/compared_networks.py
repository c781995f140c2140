"""The teacher and the student of a comparison: the library's, or somebody's own, which is examined
before anything is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.cli.console import log
from benchmarks.cli.drawn_tensors import drawn_tensors
from benchmarks.cli.given_classifier import given_weights
from benchmarks.datasets.load import sizes
from benchmarks.recipes.resolve import Recipes
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.outside import (
    build_outside,
    identify,
    is_outside,
    plain_name,
)
from naturalinversion.classifiers.weights import load_state
from naturalinversion.errors import TeacherError, UsageError, reason_of
from naturalinversion.seeds import seeded
from naturalinversion.teacher.logit_checks import check_trainable, check_values
from naturalinversion.teacher.teacher import Teacher

TEACHER, STUDENT = "--teacher", "--student"
IMAGES = 4  # that a student is tried with


@dataclass(frozen=True)
class ComparedNetworks:
    """Both by their full names, and the files of weights of these and other networks."""

    teacher: str
    student: str
    weights: Mapping[str, Path]


def compared_networks(
    teacher: str, student: str, weights: Mapping[str, Path], recipes: Sequence[Recipes]
) -> ComparedNetworks:
    """Name and examine the networks for the data sets of ``recipes``.

    Raises `UsageError` for what is neither an architecture nor a factory, for a teacher whose
    weights are random, for a student whose are not, and for networks that don't take the images;
    `TeacherError` for a teacher that can't be inverted.
    """
    full = {
        name: _identified(flag, name, recipes[0])
        for flag, name in ((TEACHER, teacher), (STUDENT, student))
    }
    files = {full.get(name, name): path for name, path in weights.items()}
    found = ComparedNetworks(full[teacher], full[student], files)
    if is_outside(teacher) and len(recipes) > 1:
        names = " or ".join(one.dataset for one in recipes)
        raise UsageError(f"{TEACHER} {teacher}: for which data set? --dataset {names}")
    for one in recipes:
        if is_outside(teacher):
            _examine_teacher(found.teacher, files.get(found.teacher), one)
        if is_outside(student):
            _examine_student(found.student, one)
    return found


def _identified(flag: str, name: str, recipes: Recipes) -> str:
    if is_outside(name):
        classes, _, _ = sizes(recipes.dataset)
        return identify(name, classes, flag)
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(
            f"{flag}: unknown architecture '{name}': one of {known}, or package.module:factory"
        )
    return name


def _examine_teacher(name: str, weights: Path | None, recipes: Recipes) -> None:
    where = f"{TEACHER} {plain_name(name)}"
    classes, shape = _images(name, recipes)
    model = build_outside(name, classes)
    _check_state(model, where)
    if weights is not None:
        load_state(model, given_weights(weights, f"{where}:"), weights)
    elif drawn := drawn_tensors(name, classes).drawn:
        raise UsageError(
            f"{where}: {len(drawn)} of its tensors are random, such as '{drawn[0]}': give "
            "--teacher-weights FILE, or let the factory load all of them"
        )
    try:
        Teacher(model, num_classes=classes, image_shape=shape)
    except TeacherError as error:
        raise TeacherError(f"{where}: {error}") from error


def _examine_student(name: str, recipes: Recipes) -> None:
    where = f"{STUDENT} {plain_name(name)}"
    classes, shape = _images(name, recipes)
    weights = drawn_tensors(name, classes)
    if not weights.drawn:
        raise UsageError(
            f"{where}: has the same weights from every seed; a student starts from random ones"
        )
    if weights.fixed_count > weights.drawn_count:
        log(
            f"{where}: '{weights.fixed[0]}' and others, most of its weights, are the same from "
            "every seed: if they were trained, what is measured is not what the images taught"
        )
    with seeded(0):
        model, images = build_outside(name, classes), torch.randn(IMAGES, *shape)
        _check_state(model, where)
        for training in (False, True):
            _check_logits(model.train(training), images, classes, where)


def _check_state(model: nn.Module, where: str) -> None:
    """Weights are stored as tensors."""
    for key, value in model.state_dict().items():
        if not isinstance(value, Tensor):
            raise UsageError(f"{where}: its state '{key}' is no tensor and can't be stored")


def _check_logits(model: nn.Module, images: Tensor, classes: int, where: str) -> None:
    try:
        logits = model(images)
    except Exception as error:  # whatever the network raises
        size = tuple(images.shape[1:])
        raise UsageError(
            f"{where}: does not take images of shape {size}: {reason_of(error)}"
        ) from error
    if not isinstance(logits, Tensor) or logits.shape != (len(images), classes):
        what = tuple(logits.shape[1:]) if isinstance(logits, Tensor) else type(logits).__name__
        mode = "training" if model.training else "evaluation"
        raise UsageError(
            f"{where}: returns {what} for an image in {mode} mode, not {classes} logits"
        )
    try:
        check_values(model, logits, "the student")
        check_trainable(logits, "the student")
    except TeacherError as error:
        raise UsageError(f"{where}: {error}") from error


def _images(name: str, recipes: Recipes) -> tuple[int, tuple[int, int, int]]:
    """Classes and shape of the images that the network is for."""
    classes, _, _ = sizes(recipes.dataset)
    size = recipes.resolve(name).protocol.network.image_size
    return classes, (3, size, size)
