"""Networks on disk: safetensors weights with a description of network and images in the header."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from naturalinversion.classifiers import build
from naturalinversion.classifiers.file_kinds import (
    is_cut_off,
    is_of_torch_save,
    is_safetensors,
    is_torchscript,
)
from naturalinversion.classifiers.key_mapping import EXTRA_STATE, map_keys
from naturalinversion.classifiers.outside import plain_name
from naturalinversion.errors import MissingError, UsageError, reason_of
from naturalinversion.files import write_atomically
from naturalinversion.seeds import derive, seeded

WEIGHTS = "weights.safetensors"
CONTAINERS = (
    "state_dict_ema",
    "model_ema",
    "ema",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
)
FOREIGN = "it is neither safetensors nor of torch.save"
CUT_OFF = "it is cut off, as by a copy or download that was stopped"
TORCHSCRIPT = "it is TorchScript, which holds code: save model.state_dict() alone"
OBJECTS = "it holds objects that are not tensors: save model.state_dict() alone"

S = TypeVar("S", bound=msgspec.Struct)
UNREADABLE = (OSError, SafetensorError, msgspec.MsgspecError, KeyError, ValueError, RecursionError)


class Classifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the library's classifiers, or somebody's own, and the images it takes."""

    arch: str
    num_classes: int
    width: float
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def build(self, seed: int) -> nn.Module:
        """The network, initialised from ``seed``."""
        with seeded(derive(seed, "network", plain_name(self.arch))):
            return build(self.arch, self.num_classes, self.width)


def save_classifier(path: Path, model: nn.Module, description: Classifier) -> None:
    """Write the weights and their description atomically."""
    save_described(path, model, "classifier", description)


def load_classifier(path: Path) -> tuple[nn.Module, Classifier]:
    """A network that `save_classifier` wrote, in training mode, and its description."""
    description, state = load_described(path, "classifier", Classifier)
    model = description.build(0)
    load_state(model, state, path)
    return model, description


def save_described(path: Path, model: nn.Module, what: str, description: msgspec.Struct) -> None:
    """Write weights atomically, with ``description`` in the header under the key ``what``."""
    state = model.state_dict()
    if other := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise UsageError(f"{path}: the network keeps '{other[0]}', which is no tensor")
    # Copies: two names of one tensor, tied weights, are stored as two.
    tensors = {n: t.detach().cpu().contiguous().clone() for n, t in state.items()}
    metadata = {what: msgspec.json.encode(description).decode()}
    write_atomically(path, save(tensors, metadata=metadata))


def load_described(path: Path, what: str, struct: type[S]) -> tuple[S, dict[str, Tensor]]:
    """Description and weights of a file by `save_described`.

    Raises `MissingError` without the file and `UsageError` when it holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return msgspec.json.decode(metadata[what], type=struct), load_file(path)
    except FileNotFoundError as error:
        raise MissingError(f"{path} is missing") from error
    except UNREADABLE as error:
        reason = str(error)
        if isinstance(error, SafetensorError) and not is_safetensors(path):
            reason = "it is not safetensors"
        elif isinstance(error, KeyError):
            reason = "its header describes none"
        raise UsageError(f"{path} holds no {what} of this suite: {reason}") from error


def read_weights(path: Path) -> dict[str, Any]:
    """A state dict from safetensors or from torch.save, read without unpickling code.

    A checkpoint may hold it under one of `CONTAINERS`; averaged weights come first. Values are
    tensors, but for extra states of modules. Raises `MissingError` or `UsageError`.
    """
    if not path.is_file():
        raise MissingError(f"{path}: no such file")
    try:
        found = _load(path)
    except Exception as error:
        objects = isinstance(error, UnpicklingError) and "weights_only" in str(error)
        reason = OBJECTS if objects else reason_of(error).partition(". ")[0]
        raise UsageError(f"{path}: can't be read as weights: {reason}") from error
    for name in CONTAINERS:
        if isinstance(found, Mapping) and _holds_tensors(found.get(name)):
            found = found[name]
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and (isinstance(value, Tensor) or name.endswith(EXTRA_STATE))
        for name, value in found.items()
    ):
        held = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
        raise UsageError(
            f"{path}: holds no state dict of tensors, but {held[:80] or 'nothing'}; "
            f"it may lie under {', '.join(CONTAINERS)}"
        )
    return dict(found)


def _holds_tensors(found: Any) -> bool:
    """Whether it is a mapping with tensors, or with another container of some."""
    return isinstance(found, Mapping) and (
        any(isinstance(value, Tensor) for value in found.values())
        or any(_holds_tensors(found.get(name)) for name in CONTAINERS)
    )


def _load(path: Path) -> Any:
    """What is in a file of either kind, whatever it is called."""
    if is_safetensors(path):
        return load_file(path)
    if not is_of_torch_save(path):
        raise ValueError(FOREIGN)
    if is_cut_off(path):
        raise ValueError(CUT_OFF)
    if is_torchscript(path):
        raise ValueError(TORCHSCRIPT)
    with path.open("rb") as file:  # by its name torch.load may take it for safetensors
        return torch.load(file, map_location="cpu", weights_only=True)


def load_state(model: nn.Module, state: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Load ``state`` into ``model``; returns the names that were mapped, from old to new.

    Raises `UsageError` in one line that names what is missing, unknown or of another shape.
    """
    found, renamed = map_keys(state, model.state_dict(), str(path))
    try:
        model.load_state_dict(found)
    except Exception as error:  # whatever somebody's modules make of their extra state
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"{path}: weights of another network: {reason}") from error
    return renamed
