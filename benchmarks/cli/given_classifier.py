"""Somebody's classifier on the command line: a factory's, one of ours with weights, or stored."""

from pathlib import Path

import msgspec
from torch import nn

from benchmarks.cli.console import log
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.key_mapping import renaming_text
from naturalinversion.classifiers.weights import Classifier, load_state, read_weights
from naturalinversion.errors import UsageError
from naturalinversion.named_code import load_object

Floats = tuple[float, ...]


class Inputs(msgspec.Struct, frozen=True):
    """The images that a classifier takes, how many classes it knows, and a student's width."""

    num_classes: int
    image_shape: tuple[int, int, int]
    mean: Floats
    std: Floats
    width: float


def with_inputs(model: nn.Module, description: Classifier) -> tuple[nn.Module, Inputs, str]:
    """A network of ours, what it takes, and its architecture's name."""
    size, mean, std = description.image_size, description.mean, description.std
    inputs = Inputs(description.num_classes, (3, size, size), mean, std, description.width)
    return model, inputs, description.arch


def made_by(name: str) -> nn.Module:
    """The module that the factory ``package.module:name`` returns."""
    factory = load_object(name, "--model")
    try:
        model = factory()
    except Exception as error:  # whatever somebody's code raises
        reason = (str(error) or "no message").splitlines()[0]
        raise UsageError(f"--model {name}: {type(error).__name__}: {reason}") from error
    if not isinstance(model, nn.Module):
        raise UsageError(f"--model {name}: returned {type(model).__name__}, no module")
    return model


def filled(description: Classifier, weights: Path) -> nn.Module:
    """The network of ours that is described, with the weights of a file."""
    if description.arch not in ARCHITECTURES:
        raise UsageError(
            f"unknown architecture '{description.arch}': one of {', '.join(ARCHITECTURES)}"
        )
    model = description.build(0)
    fill(model, weights)
    return model


def fill(model: nn.Module, weights: Path) -> None:
    """Load the weights of a file, and say what was renamed and left out."""
    if renamed := load_state(model, read_weights(weights), weights):
        log(f"{weights}: {renaming_text(renamed)}")


def described(arch: str, inputs: Inputs) -> Classifier:
    """One of the library's networks for ``inputs``. Raises `UsageError` if there is none."""
    channels, height, width = inputs.image_shape
    if channels != 3 or height != width:
        raise UsageError(
            f"the library's architectures take square images of three channels, not "
            f"{inputs.image_shape}: '{arch}' is none for them"
        )
    mean, std = inputs.mean, inputs.std
    return Classifier(
        arch,
        inputs.num_classes,
        inputs.width,
        height,
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
    )
