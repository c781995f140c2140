"""What follows from a training recipe: learning rates, and updates and images of an epoch."""

import math

from benchmarks.recipes.schema import TrainingRecipe


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
