"""Pruned networks on disk: weights whose header names the network and the filters it has left."""

from pathlib import Path

import msgspec
import torch
from torch import nn

from benchmarks.evaluation.l1_pruning import Layers, keep_filters
from naturalinversion.classifiers.weights import (
    Classifier,
    load_described,
    load_state,
    save_described,
)

WHAT = "pruned classifier"


class PrunedClassifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``classifier`` without the filters that are not in ``kept``, see `l1_pruning`."""

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
    save_described(path, model, WHAT, description)


def load_pruned(path: Path) -> tuple[nn.Module, PrunedClassifier]:
    """A network that `save_pruned` wrote, in training mode, and its description.

    Raises `MissingError` without the file and `UsageError` when it holds something else.
    """
    description, state = load_described(path, WHAT, PrunedClassifier)
    model = description.build(0)
    load_state(model, state, path)
    return model, description
