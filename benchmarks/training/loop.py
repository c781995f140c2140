"""Training with SGD on images that are held, augmented and normalised on the device.

Every epoch's order, augmentation and dropout come from (seed, epoch) alone, so an epoch does not
depend on how many came before it in this process, and a resumed run ends with the same bytes as
one left alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.augmentation import Draws, draw
from benchmarks.training.device_dataset import ImageSource
from benchmarks.training.history import History
from benchmarks.training.learning_rate import images_per_epoch, learning_rate, updates_per_epoch
from benchmarks.training.losses import Loss
from benchmarks.training.training_checkpoint import TrainingCheckpoint, identity
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.precision import Precision, numerics
from naturalinversion.progress import Progress, bar
from naturalinversion.seeds import derive, generator, seeded

AHEAD = 1024  # images that are augmented at once, for several updates: small ones cost as much
_LOOK_EVERY = 50  # updates between two looks at the losses: each one waits for the device


def train(
    model: nn.Module,
    source: ImageSource,
    recipe: TrainingRecipe,
    *,
    loss: Loss,
    seed: int,
    device: torch.device | str,
    evaluate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    progress: str = "",
    precision: Precision = "fp32",
    checkpoint_seconds: float = 30.0,
) -> History:
    """Train ``model`` in place on ``device`` and leave it there in eval mode.

    ``evaluate`` gives an accuracy (see `accuracy`) every ``recipe.evaluate_every`` epochs and after
    the last one. ``checkpoint`` is a file that belongs to this run alone: a run that finds it goes
    on from there. It is written after an epoch when ``checkpoint_seconds`` have passed since the
    last time, and after the last epoch; the caller removes it once the weights are stored.
    ``progress`` heads the bar on stderr. "tf32" and "bf16" are for GPUs.

    Raises `BenchmarkError` when a loss or a weight becomes NaN or infinite, naming epoch and
    update, and `UsageError` when the images don't suit the recipe.
    """
    device = torch.device(device)
    _check(source, recipe)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    source = source.to(device)
    optimizer = torch.optim.SGD(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=True,
    )
    store = TrainingCheckpoint(checkpoint, identity(model, source, recipe, seed, precision))
    losses, accuracies = store.restore(model, optimizer)
    images = images_per_epoch(recipe, len(source))
    saved = time.monotonic()
    with bar((recipe.epochs - len(losses)) * images, progress, "img") as advance:
        run = _Run(model, source, recipe, loss, optimizer, device, precision, seed, advance)
        for epoch in range(len(losses), recipe.epochs):
            last = epoch + 1 == recipe.epochs
            losses.append(run.epoch(epoch))
            if last:
                _check_weights(model)
            due = recipe.evaluate_every and (epoch + 1) % recipe.evaluate_every == 0
            if evaluate and (last or due):
                accuracies.append((epoch + 1, evaluate(model)))
            if last or time.monotonic() - saved >= checkpoint_seconds:
                store.save(model, optimizer, losses, accuracies)
                saved = time.monotonic()
    # Back to the usual layout: what is stored of the model must not depend on the device.
    model.to(memory_format=torch.contiguous_format)
    model.eval()
    return History(tuple(losses), tuple(accuracies), recipe.epochs * images)


@dataclass(frozen=True, eq=False)
class _Run:
    """What all epochs of a run share."""

    model: nn.Module
    source: ImageSource  # on the device
    recipe: TrainingRecipe
    loss: Loss
    optimizer: torch.optim.Optimizer
    device: torch.device
    precision: Precision
    seed: int
    advance: Progress

    def epoch(self, epoch: int) -> float:
        """Train for the epoch of this number; its mean loss."""
        recipe, size, count = self.recipe, self.recipe.batch_size, len(self.source)
        updates = updates_per_epoch(recipe, count)
        # All the epoch's draws at once and on the host: no step waits for them, and every device
        # sees the same ones.
        rng = generator(derive(self.seed, "epoch", epoch))
        order = _order(images_per_epoch(recipe, count), count, rng)
        draws = draw(len(order), padding=recipe.crop, flip=recipe.flip, generator=rng)
        order, draws = order.to(self.device), draws.to(self.device)
        ahead = max(1, AHEAD // size)
        losses = torch.zeros(updates, device=self.device)
        self.model.train()
        with seeded(derive(self.seed, "epoch", epoch, "dropout")):
            for update in range(updates):
                place = update % ahead
                if not place:
                    part = slice(update * size, min(update + ahead, updates) * size)
                    images, labels = self._batches(order[part], draws[part])
                # The middle of the update, so that milestones never hang on a rounding error and
                # a warm-up does not begin with an update at zero.
                done = (epoch * updates + update + 0.5) / (recipe.epochs * updates)
                self.optimizer.param_groups[0]["lr"] = learning_rate(recipe, done)
                here = slice(place * size, (place + 1) * size)
                losses[update] = self._step(images[here], labels[here])
                self.advance(len(labels[here]))
                if (update + 1) % _LOOK_EVERY == 0 or update + 1 == updates:
                    _check_losses(losses[: update + 1], epoch)
        return float(losses.double().mean())

    def _batches(self, index: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Images of several updates, cropped, mirrored and normalised at once, and labels."""
        recipe = self.recipe
        if recipe.crop > 0 or recipe.flip:
            images = self.source.augmented(index, draws, recipe.crop, recipe.padding)
        else:
            images = self.source.batch(index)
        return images.contiguous(memory_format=torch.channels_last), self.source.labels[index]

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        with numerics(self.device, self.precision):
            value = self.loss(self.model, images, labels)
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value.detach()


def _order(needed: int, count: int, rng: torch.Generator) -> Tensor:
    """``needed`` of ``count`` indices: one random pass after another, cut off at the end."""
    passes = -(-needed // count)
    return torch.cat([torch.randperm(count, generator=rng) for _ in range(passes)])[:needed]


def _check(source: ImageSource, recipe: TrainingRecipe) -> None:
    if len(source) < 2:
        raise UsageError(f"training needs two images or more, not {len(source)}")
    smallest = min(source.images.shape[-2:])
    if recipe.padding == "reflect" and recipe.crop >= smallest:
        raise UsageError(f"crop {recipe.crop} can't be reflected in images of {smallest} pixels")


def _check_losses(losses: Tensor, epoch: int) -> None:
    wrong = torch.nonzero(~torch.isfinite(losses))
    if len(wrong):
        update = int(wrong[0])
        raise BenchmarkError(
            f"training diverged: the loss is {float(losses[update])} in epoch {epoch + 1}, "
            f"update {update + 1}; a lower learning rate may help"
        )


def _check_weights(model: nn.Module) -> None:
    """The last update is followed by no loss that would show what it did."""
    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise BenchmarkError(
                f"training diverged: {name} is not finite after the last update; a lower learning "
                "rate may help"
            )
