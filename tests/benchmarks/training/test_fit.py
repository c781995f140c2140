"""A classifier trained in a cell, and the floor it must reach."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

from benchmarks.datasets.load import load
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import run_cell
from benchmarks.engine.checkpoints import TRAINING
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.tables.registry import KINDS
from benchmarks.training import classifier
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.fit import train_and_test
from benchmarks.training.losses import cross_entropy_loss
from naturalinversion.errors import BenchmarkError
from reports.records import read
from tests.benchmarks.training.small import RECIPE, make_dataset, make_model

TEACHER = classifier.Recipe(
    arch="resnet18",
    dataset="digits",
    width=0.0625,
    image_size=8,
    seed=0,
    training=TrainingRecipe(epochs=1, updates_per_epoch=2, batch_size=16),
)


def context_in(folder: Path) -> CellContext:
    """A cell's folder, with nothing in it that it reads."""
    log = logging.getLogger("test")
    return CellContext(folder, {}, Machine(), DataOptions(folder), "teacher", log)


def test_a_teacher_below_the_floor_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command fails at once with the same words; a lower floor takes what is there."""
    context, recipe = context_in(tmp_path), msgspec.structs.replace(TEACHER, floor=0.99)
    with pytest.raises(BenchmarkError, match="below the recipe's floor 99") as first:
        classifier.run(context, recipe)
    monkeypatch.setattr(
        "benchmarks.training.epoch.EpochRunner.run", lambda *given: pytest.fail("again")
    )
    with pytest.raises(BenchmarkError) as second:
        classifier.run(context, recipe)
    assert str(first.value) == str(second.value)
    metrics = classifier.run(context, msgspec.structs.replace(recipe, asked_floor=0.0))
    assert (metrics["train_images"], metrics["test_images"]) == (1297, 500)
    assert metrics["classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


def test_a_classifier_learns_from_the_training_images_and_is_tested_on_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[DeviceDataset] = []

    def fit(*arguments: Any) -> Metrics:
        given.extend(one for one in arguments if isinstance(one, DeviceDataset))
        return {}

    monkeypatch.setattr(classifier, "train_and_test", fit)
    classifier.run(context_in(tmp_path), TEACHER)
    digits = load("digits", root=tmp_path, image_size=8)
    for found, split in zip(given, (digits.train, digits.test), strict=True):
        assert torch.equal(found.images, split.images)
        assert torch.equal(found.labels, split.labels)
        assert found.mean.tolist() == pytest.approx(digits.mean)
        assert found.std.tolist() == pytest.approx(digits.std)


def test_killed_before_its_record_a_cell_trains_no_epoch_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {"epochs": 2, "updates_per_epoch": 2, "batch_size": 16}
    recipe = {"arch": "resnet18", "dataset": "digits", "width": 0.0625, "image_size": 8}
    cell = Cell("classifier", "teacher", recipe | {"seed": 0, "training": training})
    folder = cell.folder(tmp_path)

    def make() -> str:
        return run_cell(cell, KINDS, tmp_path, Machine(), DataOptions(tmp_path))

    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr("benchmarks.engine.cell_runner.write_record", killed)
        with pytest.raises(KeyboardInterrupt):
            make()
    assert (folder / TRAINING).is_file()
    monkeypatch.setattr(
        "benchmarks.training.epoch.EpochRunner.run", lambda *given: pytest.fail("again")
    )
    assert make() == "computed"
    assert not (folder / TRAINING).exists()
    record = read(folder / "record.json")
    assert sorted(record.artefacts) == ["recipe.json", "weights.safetensors"]
    assert record.attempts == 2


def fit_with_accuracies(
    values: list[float], folder: Path, save: Callable[[], None], floor: float = 0.0
) -> Metrics:
    """Train for an epoch per value, where the test images' accuracy after each is the value."""
    test, left = make_dataset(12), iter(values)

    def accuracy(model: nn.Module, dataset: DeviceDataset) -> float:
        assert dataset is test
        return next(left)

    recipe, loss = msgspec.structs.replace(RECIPE, epochs=len(values)), cross_entropy_loss()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.training.fit.accuracy", accuracy)
        return train_and_test(
            context_in(folder), make_model(), make_dataset(), test, recipe, loss, 5, save, floor
        )


def test_the_number_is_after_the_last_epoch_and_not_the_best(tmp_path: Path) -> None:
    saved: list[str] = []
    metrics = fit_with_accuracies([0.2, 0.9, 0.4], tmp_path, lambda: saved.append("it"), floor=0.4)
    assert (metrics["test_accuracy"], metrics["best_test_accuracy"]) == (0.4, 0.9)
    assert metrics["images_seen"] == 3 * 50
    assert saved == ["it"]


def test_a_better_epoch_before_the_last_does_not_reach_the_floor(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"test accuracy 40\.0% is below .* floor 50\.0%"):
        fit_with_accuracies([0.2, 0.9, 0.4], tmp_path, lambda: pytest.fail("saved"), floor=0.5)
