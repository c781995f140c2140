"""Training with SGD on images that are held, augmented and normalised on the device.

Every epoch's order, augmentation and dropout come from (seed, epoch) alone, so an epoch does not
depend on how many came before it in this process, and a resumed run ends with the same bytes as
one left alone.
"""

import hashlib
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import msgspec
import torch
from torch import nn

from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.epoch import EpochRunner
from benchmarks.training.learning_rate import images_per_epoch, updates_per_epoch
from benchmarks.training.losses import Loss
from benchmarks.training.update import CAPTURE_FROM, Update
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.inversion.optimizers import load_optimizer, rate_on
from naturalinversion.layout import to_fast_layout
from naturalinversion.precision import Precision
from naturalinversion.progress import bar

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingHistory:
    """Losses and accuracies of one run, an interrupted and resumed one included."""

    losses: tuple[float, ...]  # mean over the updates of each epoch
    accuracies: tuple[tuple[int, float], ...]  # (epochs done, accuracy 0..1), where evaluated
    images: int  # training images seen, each pass counted

    @property
    def last_accuracy(self) -> float | None:
        """After the last epoch: the number to report. None when nothing was evaluated."""
        return self.accuracies[-1][1] if self.accuracies else None

    @property
    def best_accuracy(self) -> float | None:
        """The highest one: a selection on the test set, never the number to report."""
        return max((value for _, value in self.accuracies), default=None)


def train(
    model: nn.Module,
    dataset: DeviceDataset,
    recipe: TrainingRecipe,
    *,
    loss: Loss,
    seed: int,
    device: torch.device | str,
    evaluate: Callable[[nn.Module], float] | None = None,
    checkpoint: Checkpoint | None = None,
    progress: str = "",
    precision: Precision = "fp32",
    capture_from: int = CAPTURE_FROM,
) -> TrainingHistory:
    """Train ``model`` in place on ``device`` and leave it there in eval mode.

    ``evaluate`` gives an accuracy (see `accuracy`) every ``recipe.evaluate_every`` epochs and after
    the last one. A run that finds its own state in ``checkpoint`` goes on from there; it is written
    between epochs, and after the last: the caller deletes it once all that follows is stored.
    ``progress`` heads the bar on stderr. "tf32" and "bf16" are for GPUs, and so is the capture of
    the update, in runs of ``capture_from`` updates or more: a replay repeats its operations, so
    what Python code in ``model`` and ``loss`` does must not differ from update to update.

    Raises `BenchmarkError` when a loss or a weight becomes NaN or infinite, naming epoch and
    update, and `UsageError` when the images don't suit the recipe.
    """
    device = torch.device(device)
    _check(dataset, recipe)
    dataset = dataset.to(device)
    to_fast_layout(model.to(device), tuple(dataset.images.shape[1:]))
    optimizer = torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=rate_on(device, recipe.lr),
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=True,
    )
    finite = _finite(model)
    run = _identity(model, dataset, recipe, seed, precision)
    losses, accuracies = _resume(checkpoint, run, model, optimizer)
    images = images_per_epoch(recipe, len(dataset))
    # By the length of the whole run, so that a resumed one is captured as it was before.
    captured = recipe.epochs * updates_per_epoch(recipe, len(dataset)) >= capture_from
    update = Update(model, loss, optimizer, precision, recipe.batch_size, captured=captured)
    with (
        bar((recipe.epochs - len(losses)) * images, progress, "img") as advance,
        closing(update),
    ):
        runner = EpochRunner(model, dataset, recipe, update, seed, advance)
        for epoch in range(len(losses), recipe.epochs):
            last = epoch + 1 == recipe.epochs
            losses.append(runner.run(epoch))
            if last:
                _check_weights(model, finite)
            due = recipe.evaluate_every and (epoch + 1) % recipe.evaluate_every == 0
            if evaluate and (last or due):
                accuracies.append((epoch + 1, evaluate(model)))
            if checkpoint:
                networks = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                history = {"losses": losses, "accuracies": accuracies}
                checkpoint.save({"run": run, **networks, **history}, at_once=last)
    # Back to the usual layout: what is stored of the model must not depend on the device.
    model.to(memory_format=torch.contiguous_format)
    model.eval()
    return TrainingHistory(tuple(losses), tuple(accuracies), recipe.epochs * images)


def _identity(
    model: nn.Module, dataset: DeviceDataset, recipe: TrainingRecipe, seed: int, precision: str
) -> str:
    """What must be the same for a checkpoint to be gone on from."""
    weights = [(name, tuple(value.shape)) for name, value in model.state_dict().items()]
    images = (tuple(dataset.images.shape), str(dataset.images.dtype))
    about = (weights, images, msgspec.json.encode(recipe), seed, precision)
    return hashlib.sha256(repr(about).encode()).hexdigest()


def _resume(
    checkpoint: Checkpoint | None, run: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[list[float], list[tuple[int, float]]]:
    """Load the state of ``run`` where there is one; its losses and accuracies so far."""
    state = checkpoint.restore() if checkpoint else None
    if checkpoint is None or state is None:
        return [], []
    if state["run"] != run:
        log.warning("checkpoint %s is another run's: training starts again", checkpoint.path)
        return [], []
    model.load_state_dict(state["model"])
    load_optimizer(optimizer, state["optimizer"])
    return list(state["losses"]), [(int(n), float(a)) for n, a in state["accuracies"]]


def _check(dataset: DeviceDataset, recipe: TrainingRecipe) -> None:
    if len(dataset) < 2:
        raise UsageError(f"training needs two images or more, not {len(dataset)}")
    smallest = min(dataset.images.shape[-2:])
    if recipe.padding == "reflect" and recipe.crop >= smallest:
        raise UsageError(f"crop {recipe.crop} can't be reflected in images of {smallest} pixels")


def _finite(model: nn.Module) -> set[str]:
    """The names of weights and buffers without a NaN or an infinite value, as a mask has."""
    return {name for name, tensor in model.state_dict().items() if torch.isfinite(tensor).all()}


def _check_weights(model: nn.Module, finite: set[str]) -> None:
    """The last update is followed by no loss that would show what it did."""
    if spoiled := sorted(finite - _finite(model)):
        raise BenchmarkError(
            f"training diverged: {spoiled[0]} is not finite after the last update; a lower "
            "learning rate may help"
        )
