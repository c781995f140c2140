"""Classifiers that come with the library, trained on real images and ready to be inverted.

Each is a pair of files in ``ready_weights``: float16 safetensors, and a JSON file that says how it
was trained, its test accuracy as stored, and the digest that the weights must have.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from naturalinversion.classifiers.weights import Classifier, load_classifier
from naturalinversion.errors import UsageError

FOLDER = Path(__file__).parent / "ready_weights"


class ReadyClassifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one: ``test_accuracy`` in [0, 1] is that of the float16 weights.

    ``recipe`` and ``provenance`` are those of the record of its training; ``classes`` are the
    class names in the order of the logits.
    """

    name: str
    dataset: str
    classes: tuple[str, ...]
    test_accuracy: float
    sha256: str
    recipe: dict[str, Any]
    provenance: dict[str, Any]


def ready_names(folder: Path = FOLDER) -> list[str]:
    """The names there are, such as ``cifar10-vgg11``."""
    return sorted(path.stem for path in folder.glob("*.json"))


def describe(name: str, folder: Path = FOLDER) -> ReadyClassifier:
    """What is known of the ready classifier ``name``.

    Raises `UsageError` for a name that is none, with the list of those that are.
    """
    if name not in ready_names(folder):
        known = ", ".join(ready_names(folder))
        raise UsageError(f"no ready classifier '{name}': one of {known}")
    path = folder / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=ReadyClassifier)
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"{path}: damaged: {error}") from error


def weights_of(name: str, folder: Path = FOLDER) -> Path:
    """The weights' file, checked. Raises `UsageError` when it is not the one described."""
    path, known = folder / f"{name}.safetensors", describe(name, folder)
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if found != known.sha256:
        raise UsageError(
            f"{path}: damaged: its sha256 is {found[:12]}…, not {known.sha256[:12]}…; "
            "install the package again"
        )
    return path


def load_ready(name: str, folder: Path = FOLDER) -> tuple[nn.Module, Classifier]:
    """The classifier ``name`` in float32, in training mode, and how to build and feed it."""
    return load_classifier(weights_of(name, folder))
