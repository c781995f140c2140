"""The state of an unfinished training run in one file: a sha256, then what `torch.save` wrote."""

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from benchmarks.training.numerics import Precision
from benchmarks.training.recipe import TrainingRecipe
from benchmarks.training.source import ImageSource

log = logging.getLogger(__name__)

_DIGEST = hashlib.sha256().digest_size

Losses = list[float]
Accuracies = list[tuple[int, float]]


class Checkpoint:
    """The file ``path`` of the run ``run``; None keeps nothing."""

    def __init__(self, path: Path | None, run: str) -> None:
        self._path = path
        self._run = run

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[Losses, Accuracies]:
        """Load what is there into both; the history so far, empty when nothing can be used.

        A file that is damaged or another run's is named in the log and left to be overwritten.
        """
        state = _read(self._path) if self._path else None
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
        buffer = io.BytesIO()
        torch.save(
            {
                "run": self._run,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "losses": losses,
                "accuracies": accuracies,
            },
            buffer,
        )
        unfinished = _unfinished(self._path)
        with unfinished.open("wb") as file:
            file.write(hashlib.sha256(buffer.getbuffer()).digest())
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self._path)


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


def _read(path: Path) -> dict[str, Any] | None:
    _unfinished(path).unlink(missing_ok=True)  # a killed run's
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body = memoryview(content)[_DIGEST:]
    if hashlib.sha256(body).digest() != content[:_DIGEST]:
        log.warning("checkpoint %s is damaged: training starts again", path)
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return state


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")
