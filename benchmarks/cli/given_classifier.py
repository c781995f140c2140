"""Somebody's classifier on the command line: a factory's, one of ours with weights, or stored."""

from pathlib import Path

import msgspec
from torch import nn

from benchmarks.cli.console import log
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.key_mapping import renaming_text
from naturalinversion.classifiers.outside import call_factory
from naturalinversion.classifiers.ready import load_ready
from naturalinversion.classifiers.weights import (
    Classifier,
    load_classifier,
    load_state,
    read_weights,
)
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


def given_network(
    ready: str, arch: str, model: str, weights: Path | None, inputs: Inputs
) -> tuple[nn.Module, Inputs, str]:
    """The network, what it takes, and its architecture's name if it is one of ours.

    ``inputs`` is what the command line says it takes: a stored one knows itself. Raises
    `UsageError` unless the options name one network.
    """
    sources = (ready, model, arch or (weights and not model))
    if sum(map(bool, sources)) != 1:
        several = ", one of these and not several" if any(sources) else ""
        raise UsageError(f"synthesize needs --arch with --weights, or --model, or --ready{several}")
    if ready:
        return _with_inputs(*load_ready(ready))
    if model:
        factory, where = load_object(model, "--model"), f"--model {model}"
        network = call_factory(factory, inputs.num_classes, where)
        if weights is not None:
            _fill(network, weights)
        return network, inputs, ""
    if weights is None:
        raise UsageError("--arch needs --weights FILE")
    if not arch:
        try:
            return _with_inputs(*load_classifier(weights))
        except UsageError as error:
            raise UsageError(f"{error}; of what network? --arch or --model says so") from error
    return filled(described(arch, inputs), weights), inputs, arch


def filled(description: Classifier, weights: Path) -> nn.Module:
    """The network of ours that is described, with the weights of a file."""
    if description.arch not in ARCHITECTURES:
        raise UsageError(
            f"unknown architecture '{description.arch}': one of {', '.join(ARCHITECTURES)}"
        )
    model = description.build(0)
    _fill(model, weights)
    return model


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


def _with_inputs(model: nn.Module, description: Classifier) -> tuple[nn.Module, Inputs, str]:
    """A network of ours, what it takes, and its architecture's name."""
    size, mean, std = description.image_size, description.mean, description.std
    inputs = Inputs(description.num_classes, (3, size, size), mean, std, description.width)
    return model, inputs, description.arch


def _fill(model: nn.Module, weights: Path) -> None:
    """Load the weights of a file, and say what was renamed and left out."""
    if renamed := load_state(model, read_weights(weights), weights):
        log(f"{weights}: {renaming_text(renamed)}")
