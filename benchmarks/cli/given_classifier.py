"""Somebody's classifier on the command line: a factory's, one of ours with weights, or stored."""

from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from torch import nn

from benchmarks.cli.console import log
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.key_mapping import renaming_text
from naturalinversion.classifiers.outside import call_factory
from naturalinversion.classifiers.ready import load_ready
from naturalinversion.classifiers.weights import (
    Classifier,
    load_classifier,
    load_described,
    load_state,
    read_weights,
)
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.named_code import load_object

Floats = tuple[float, ...]


class Inputs(msgspec.Struct, frozen=True):
    """The images that a classifier takes, how many classes it knows, and a student's width.

    ``assumed`` names the defaults that neither the classifier nor its user gave: a wrong size or
    normalisation makes other images, and no error.
    """

    num_classes: int
    image_shape: tuple[int, int, int]
    mean: Floats
    std: Floats
    width: float
    assumed: str = ""


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
        raise UsageError(
            "synthesize needs --arch with --weights, or --model, or --ready, or --weights alone of "
            f"a file that this suite wrote{several}"
        )
    if ready:
        return _with_inputs(*load_ready(ready))
    if model:
        found = _description(weights) if weights is not None else None
        if found is not None:  # its width is that of one of the library's networks
            inputs = msgspec.structs.replace(_inputs(found), width=inputs.width)
        factory, where = load_object(model, "--model"), f"--model {model}"
        network = call_factory(factory, inputs.num_classes, where)
        if weights is not None:
            _fill(network, weights, "--weights")
        return network, inputs, ""
    if weights is None:
        raise UsageError("--arch needs --weights FILE")
    if not arch:
        try:
            return _with_inputs(*load_classifier(weights))
        except UsageError as error:
            raise UsageError(f"{error}; of what network? --arch or --model says so") from error
    if (found := _description(weights)) is None:
        return filled(described(arch, inputs), weights, "--weights"), inputs, arch
    if found.arch != arch:
        raise UsageError(f"--arch {arch}: {weights} says of itself arch {found.arch}")
    return _with_inputs(*load_classifier(weights))


def given_student(description: Classifier, weights: Path) -> nn.Module:
    """The student that is described, with the weights of a file.

    Raises `UsageError` for a file that says of itself that it is another network's.
    """
    found = _description(weights)
    if found is not None and (unlike := difference(found, description)):
        raise UsageError(f"--student-weights {weights}: says of itself {unlike}")
    return filled(description, weights, "--student-weights")


def difference(found: Classifier, asked: Classifier) -> str:
    """The first in which two descriptions differ, in words; empty where they are the same."""
    for name in Classifier.__struct_fields__:
        has, wanted = getattr(found, name), getattr(asked, name)
        if has != wanted:
            return f"{name} {has}, not {wanted}"
    return ""


def filled(description: Classifier, weights: Path, flag: str) -> nn.Module:
    """The network of ours that is described, with the weights of the file that ``flag`` gives."""
    if description.arch not in ARCHITECTURES:
        raise UsageError(
            f"unknown architecture '{description.arch}': one of {', '.join(ARCHITECTURES)}"
        )
    model = description.build(0)
    _fill(model, weights, flag)
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
    return model, _inputs(description), description.arch


def _inputs(description: Classifier) -> Inputs:
    size, mean, std = description.image_size, description.mean, description.std
    return Inputs(description.num_classes, (3, size, size), mean, std, description.width)


def _description(weights: Path) -> Classifier | None:
    """What a file that the suite wrote says of its network; None of another's file."""
    try:
        with safe_open(weights, framework="pt") as file:
            says = file.metadata() or {}
    except (OSError, SafetensorError):  # torch.save's, or none: who reads the weights tells
        return None
    return load_described(weights, "classifier", Classifier)[0] if "classifier" in says else None


def given_weights(weights: Path, flag: str) -> dict[str, Any]:
    """As `read_weights`, but the line of an error begins with ``flag``, which gives the file."""
    try:
        return read_weights(weights)
    except (MissingError, UsageError) as error:
        raise type(error)(f"{flag} {error}") from error


def _fill(model: nn.Module, weights: Path, flag: str) -> None:
    """Load the weights of a file, and say what was renamed and left out."""
    if renamed := load_state(model, given_weights(weights, flag), weights):
        log(f"{weights}: {renaming_text(renamed)}")
