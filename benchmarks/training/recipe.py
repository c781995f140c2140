"""How a classifier is trained, and the numbers that follow from it."""

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]


class TrainingRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """SGD with momentum. ``milestones`` and ``warmup`` are fractions of the whole run.

    ``updates_per_epoch`` 0 is one pass over the images. ``crop`` is the padding in pixels of the
    random crop, 0 for none. ``evaluate_every`` 0 tests after the last epoch only.
    """

    epochs: Annotated[int, Meta(ge=1)]
    batch_size: Annotated[int, Meta(ge=2)] = 128
    lr: Annotated[float, Meta(gt=0)] = 0.1
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-4
    nesterov: bool = False
    schedule: Literal["step", "cosine", "constant"] = "step"
    milestones: tuple[Fraction, ...] = (0.5, 0.75)
    gamma: Annotated[float, Meta(gt=0, le=1)] = 0.1
    warmup: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    updates_per_epoch: Annotated[int, Meta(ge=0)] = 0
    crop: Annotated[int, Meta(ge=0)] = 4
    padding: Literal["zeros", "reflect"] = "zeros"
    flip: bool = True
    evaluate_every: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.lr) and math.isfinite(self.weight_decay)):
            raise ValueError("lr and weight_decay must be finite")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above zero")


def learning_rate(recipe: TrainingRecipe, done: float) -> float:
    """The learning rate when the fraction ``done`` in [0, 1] of the run lies behind."""
    if done < recipe.warmup:
        return recipe.lr * done / recipe.warmup
    if recipe.schedule == "cosine":
        annealed = (done - recipe.warmup) / (1 - recipe.warmup)
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * annealed))
    if recipe.schedule == "step":
        drops = sum(done >= milestone for milestone in recipe.milestones)
        return float(recipe.lr * recipe.gamma**drops)
    return recipe.lr


def updates_per_epoch(recipe: TrainingRecipe, count: int) -> int:
    """Steps in an epoch over ``count`` images; a last batch of one image is left out."""
    if recipe.updates_per_epoch:
        return recipe.updates_per_epoch
    whole, rest = divmod(count, recipe.batch_size)
    return max(1, whole + (rest > 1))


def images_per_epoch(recipe: TrainingRecipe, count: int) -> int:
    """Images seen in an epoch over ``count`` images."""
    if recipe.updates_per_epoch:
        return recipe.updates_per_epoch * recipe.batch_size
    return count - (count > recipe.batch_size and count % recipe.batch_size == 1)
