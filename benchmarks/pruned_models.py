"""Pruned networks on disk: weights whose header names the network and the filters it has left."""

from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from benchmarks.errors import MissingError, UsageError
from benchmarks.models import Classifier, load_state
from benchmarks.pruning import Layers, keep_filters
from naturalinversion.files import write_atomically


class PrunedClassifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``classifier`` without the filters that are not in ``kept``, see `benchmarks.pruning`."""

    classifier: Classifier
    ratio: float
    layers: Layers
    kept: dict[str, list[int]]

    def build(self, seed: int) -> nn.Module:
        """The pruned network, initialised from ``seed``."""
        model = self.classifier.build(seed)
        keep_filters(model, example_of(self.classifier), self.kept)
        return model


def example_of(classifier: Classifier) -> torch.Tensor:
    """An image (1, 3, H, W) of the size that ``classifier`` takes."""
    return torch.zeros(1, 3, classifier.image_size, classifier.image_size)


def save_pruned(path: Path, model: nn.Module, description: PrunedClassifier) -> None:
    """Write the weights and their description atomically."""
    tensors = {n: t.detach().cpu().contiguous() for n, t in model.state_dict().items()}
    metadata = {"pruned": msgspec.json.encode(description).decode()}
    write_atomically(path, save(tensors, metadata=metadata))


def load_pruned(path: Path) -> tuple[nn.Module, PrunedClassifier]:
    """A network that `save_pruned` wrote, in training mode, and its description.

    Raises `MissingError` without the file and `UsageError` when it holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        description = msgspec.json.decode(metadata["pruned"], type=PrunedClassifier)
        state = load_file(path)
    except FileNotFoundError as error:
        raise MissingError(f"{path} is missing") from error
    except (SafetensorError, KeyError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} holds no pruned classifier of this suite: {error}") from error
    model = description.build(0)
    load_state(model, state, path)
    return model, description
