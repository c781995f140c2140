"""Train a network in a cell, test it, keep its weights: what the kinds that train share."""

from collections.abc import Callable

import torch
from torch import nn

from benchmarks.datasets.dataset import Dataset
from benchmarks.engine.context import Work
from benchmarks.engine.kinds import Metrics
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import ImageSource
from benchmarks.training.loop import train
from benchmarks.training.losses import Loss
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.errors import BenchmarkError


def splits(dataset: Dataset, work: Work) -> tuple[ImageSource, ImageSource]:
    """The training and the test images on the cell's device."""
    device = work.machine.torch_device()
    mean, std = torch.tensor(dataset.mean), torch.tensor(dataset.std)
    train_images, test_images = (
        ImageSource(split.images, split.labels, mean, std).to(device)
        for split in (dataset.train, dataset.test)
    )
    return train_images, test_images


def finish(
    work: Work,
    model: nn.Module,
    description: Classifier,
    source: ImageSource,
    test: ImageSource,
    recipe: TrainingRecipe,
    loss: Loss,
    seed: int,
    floor: float = 0.0,
) -> Metrics:
    """`fit` for one of the library's classifiers, whose weights it writes."""

    def store() -> None:
        save_classifier(work.folder / WEIGHTS, model, description)

    return fit(work, model, source, test, recipe, loss, seed, store, floor)


def fit(
    work: Work,
    model: nn.Module,
    source: ImageSource,
    test: ImageSource,
    recipe: TrainingRecipe,
    loss: Loss,
    seed: int,
    store: Callable[[], None],
    floor: float = 0.0,
) -> Metrics:
    """Train ``model`` on ``source``, have it stored, and return accuracies and losses.

    ``test_accuracy`` is that of the last epoch; ``best_test_accuracy`` is selected on the test set.
    Raises `BenchmarkError` when the first is below ``floor``; the training is kept, so that the
    same again fails at once.
    """
    checkpoint = work.folder / "training.pt"
    history = train(
        model,
        source,
        recipe,
        loss=loss,
        seed=seed,
        device=source.images.device,
        evaluate=lambda network: accuracy(network, test),
        checkpoint=checkpoint,
        progress=work.title,
        precision=work.machine.precision,
    )
    assert history.last_accuracy is not None
    assert history.best_accuracy is not None
    if history.last_accuracy < floor:
        raise BenchmarkError(
            f"{work.title}: test accuracy {history.last_accuracy:.1%} is below the recipe's floor "
            f"{floor:.1%}"
        )
    store()
    checkpoint.unlink(missing_ok=True)
    return {
        "test_accuracy": history.last_accuracy,
        "best_test_accuracy": history.best_accuracy,
        "final_loss": history.losses[-1],
        "images_seen": history.images,
    }
