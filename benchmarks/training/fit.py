"""Train a network in a cell, test it, keep its weights: what the kinds that train share."""

from collections.abc import Callable

from torch import nn

from benchmarks.engine.checkpoints import TRAINING
from benchmarks.engine.context import CellContext
from benchmarks.engine.kinds import Metrics
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import train
from benchmarks.training.losses import Loss
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.errors import BenchmarkError


def train_and_test(
    context: CellContext,
    model: nn.Module,
    dataset: DeviceDataset,
    test: DeviceDataset,
    recipe: TrainingRecipe,
    loss: Loss,
    seed: int,
    save: Callable[[], None],
    floor: float = 0.0,
) -> Metrics:
    """Train ``model`` on ``dataset``, have it saved, and return accuracies and losses.

    ``test_accuracy`` is that of the last epoch; ``best_test_accuracy`` is selected on the test set.
    Raises `BenchmarkError` when the first is below ``floor``. The checkpoint stays until the cell's
    record is written: what is interrupted or fails later trains no epoch again.
    """
    history = train(
        model,
        dataset,
        recipe,
        loss=loss,
        seed=seed,
        device=dataset.images.device,
        evaluate=lambda network: accuracy(network, test),
        checkpoint=Checkpoint(context.folder / TRAINING),
        progress=context.label,
        precision=context.machine.precision,
    )
    assert history.last_accuracy is not None
    assert history.best_accuracy is not None
    if history.last_accuracy < floor:
        raise BenchmarkError(
            f"test accuracy {history.last_accuracy:.1%} is below the recipe's floor {floor:.1%}, "
            "protocol.classifier_floor"
        )
    save()
    return {
        "test_accuracy": history.last_accuracy,
        "best_test_accuracy": history.best_accuracy,
        "final_loss": history.losses[-1],
        "images_seen": history.images,
    }
