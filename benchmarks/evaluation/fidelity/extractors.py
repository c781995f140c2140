"""The named networks that images are compared through, and the weights they are."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from benchmarks.evaluation.fidelity.inception import inception_weights, named_hash
from naturalinversion.errors import UsageError


@dataclass(frozen=True)
class Layers:
    """Names of the features a network gives: for Table 4's first stage, for FID, for the score."""

    early: str
    final: str
    logits: str

    def all(self) -> tuple[str, str, str]:
        """The three."""
        return self.early, self.final, self.logits


@dataclass(frozen=True)
class Extractor:
    """A network in torch-fidelity's registry, and the file of its weights."""

    name: str
    layers: Layers
    weights: Path

    @cached_property
    def display(self) -> str:
        """``name@hash`` with eight digits of the weights' sha256: other weights, other numbers."""
        return f"{self.name}@{_sha256(self.weights)[:8]}"

    def build(self, device: torch.device) -> nn.Module:
        """The network: uint8 (N, 3, H, W) to float32 (N, D), one for each of `Layers.all`.

        Raises `UsageError` when the file holds no weights of the network.
        """
        from benchmarks.evaluation.fidelity.torch_fidelity_api import (
            network,  # takes seconds to import
        )

        try:
            # torch-fidelity would run whatever code is pickled in the file.
            torch.load(self.weights, map_location="cpu", weights_only=True)
            made = network(self.name, self.layers.all(), str(self.weights))
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            message = f"{self.weights} can't be used as weights of {self.name}: {reason}"
            raise UsageError(message) from error
        return made.to(device)


@dataclass(frozen=True)
class Family:
    """How the extractors of one name are made.

    ``weights`` finds the file, given --inception-weights and --download. ``stand_in`` is an
    untrained network to time where the weights may be absent, fed with float (N, 3, 299, 299).
    """

    layers: Layers
    weights: Callable[[Path | None, bool], Path]
    stand_in: Callable[[], nn.Module] | None = None


def _untrained_inception() -> nn.Module:
    from torchvision.models import inception_v3

    made: nn.Module = inception_v3(weights=None, aux_logits=False, init_weights=False)
    return made


def _packaged(given: Path | None, download: bool) -> Path:
    from benchmarks.evaluation.fidelity.efficientnet import packaged_weights

    return packaged_weights()


EXTRACTORS: dict[str, Family] = {
    "inception-v3-compat": Family(
        Layers("64", "2048", "logits_unbiased"), inception_weights, _untrained_inception
    ),
    "efficientnet-lite0": Family(Layers("stem", "1280", "logits_unbiased"), _packaged),
}


def family(name: str) -> Family:
    """What is known under ``name``. Raises `UsageError`."""
    if name not in EXTRACTORS:
        raise UsageError(f"unknown extractor {name!r}: choose {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


def find(name: str, inception: Path | None = None, download: bool = False) -> Extractor:
    """The extractor ``name`` with weights that are there.

    Raises `UsageError` for an unknown name or a file that is not what its name says, and
    `MissingError` for absent weights.
    """
    known = family(name)
    weights = known.weights(inception, download)
    expected, digest = named_hash(weights), _sha256(weights)
    if not digest.startswith(expected):
        raise UsageError(f"{weights} is damaged or misnamed: its sha256 begins with {digest[:8]}")
    return Extractor(name, known.layers, weights)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
