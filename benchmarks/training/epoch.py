"""One epoch of training: its order, crops, flips and dropout, then update after update."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.learning_rate import images_per_epoch, learning_rate, updates_per_epoch
from benchmarks.training.update import Update
from naturalinversion.augmentation import CropFlips, sample_crop_flips
from naturalinversion.errors import BenchmarkError
from naturalinversion.inversion.optimizers import set_rate
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, seeded

AUGMENT_AT_ONCE = 1024  # images, of several updates: augmenting few takes as long as many
CHECK_LOSS_EVERY = 50  # updates: each check waits for the device


@dataclass(frozen=True, eq=False)
class EpochRunner:
    """What all epochs of a run share; ``dataset`` and ``model`` are on the device."""

    model: nn.Module
    dataset: DeviceDataset
    recipe: TrainingRecipe
    update: Update
    seed: int
    advance: Progress

    def run(self, epoch: int) -> float:
        """Train for the epoch of this number; its mean loss."""
        recipe, size, count = self.recipe, self.recipe.batch_size, len(self.dataset)
        updates, device = updates_per_epoch(recipe, count), self.dataset.images.device
        # All the epoch's crops and flips at once and on the host: no step waits for them, and
        # every device sees the same ones.
        rng = generator(derive(self.seed, "epoch", epoch))
        order = _order(images_per_epoch(recipe, count), count, rng)
        crop_flips = sample_crop_flips(
            len(order), padding=recipe.crop, flip=recipe.flip, generator=rng
        )
        order, crop_flips = order.to(device), crop_flips.to(device)
        updates_at_once = max(1, AUGMENT_AT_ONCE // size)
        losses = torch.zeros(updates, device=device)
        self.model.train()
        with seeded(derive(self.seed, "epoch", epoch, "dropout")):
            for update in range(updates):
                position = update % updates_at_once
                if not position:
                    part = slice(update * size, min(update + updates_at_once, updates) * size)
                    images, labels = self._augmented(order[part], crop_flips[part])
                # The middle of the update, so that milestones never hang on a rounding error and
                # a warm-up does not begin with an update at zero.
                done = (epoch * updates + update + 0.5) / (recipe.epochs * updates)
                set_rate(self.update.optimizer, learning_rate(recipe, done))
                batch = slice(position * size, (position + 1) * size)
                losses[update] = self.update(images[batch], labels[batch])
                self.advance(len(labels[batch]))
                if (update + 1) % CHECK_LOSS_EVERY == 0 or update + 1 == updates:
                    _check_losses(losses[: update + 1], epoch)
        return float(losses.double().mean())

    def _augmented(self, index: Tensor, crop_flips: CropFlips) -> tuple[Tensor, Tensor]:
        """Images of several updates, cropped, mirrored and normalised at once, and labels."""
        recipe = self.recipe
        if recipe.crop > 0 or recipe.flip:
            images = self.dataset.augmented(index, crop_flips, recipe.crop, recipe.padding)
        else:
            images = self.dataset.batch(index)
        return images.contiguous(memory_format=torch.channels_last), self.dataset.labels[index]


def _order(needed: int, count: int, rng: torch.Generator) -> Tensor:
    """``needed`` of ``count`` indices: one random pass after another, cut off at the end."""
    passes = -(-needed // count)
    return torch.cat([torch.randperm(count, generator=rng) for _ in range(passes)])[:needed]


def _check_losses(losses: Tensor, epoch: int) -> None:
    wrong = torch.nonzero(~torch.isfinite(losses))
    if len(wrong):
        update = int(wrong[0])
        raise BenchmarkError(
            f"training diverged: the loss is {float(losses[update])} in epoch {epoch + 1}, "
            f"update {update + 1}; a lower learning rate may help"
        )
