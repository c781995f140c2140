"""The state of an unfinished training run, and what it must agree with to be gone on from."""

import hashlib
import logging
from pathlib import Path

import msgspec
import torch
from torch import nn

from benchmarks.engine.checkpoint import read_state, write_state
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import ImageSource
from naturalinversion.precision import Precision

log = logging.getLogger(__name__)

Losses = list[float]
Accuracies = list[tuple[int, float]]


class TrainingCheckpoint:
    """The file ``path`` of the run ``run``; None keeps nothing."""

    def __init__(self, path: Path | None, run: str) -> None:
        self._path = path
        self._run = run

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[Losses, Accuracies]:
        """Load what is there into both; the history so far, empty when nothing can be used."""
        state = read_state(self._path) if self._path else None
        if state is None:
            return [], []
        if state["run"] != self._run:
            log.warning("checkpoint %s is another run's: training starts again", self._path)
            return [], []
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return list(state["losses"]), [(int(n), float(a)) for n, a in state["accuracies"]]

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        losses: Losses,
        accuracies: Accuracies,
    ) -> None:
        """Put the state in the file, as a whole or not at all."""
        if self._path is None:
            return
        state = {
            "run": self._run,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "losses": losses,
            "accuracies": accuracies,
        }
        write_state(self._path, state)


def identity(
    model: nn.Module,
    source: ImageSource,
    recipe: TrainingRecipe,
    seed: int,
    precision: Precision,
) -> str:
    """What must be the same for a checkpoint to be gone on from."""
    weights = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    images = (tuple(source.images.shape), str(source.images.dtype))
    about = (weights, images, msgspec.json.encode(recipe), seed, precision)
    return hashlib.sha256(repr(about).encode()).hexdigest()
