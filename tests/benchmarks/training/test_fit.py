"""A classifier trained in a cell, and the floor it must reach."""

import logging
from pathlib import Path

import msgspec
import pytest

from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training import classifier
from naturalinversion.errors import BenchmarkError


def test_a_teacher_below_the_floor_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command fails at once with the same words; a lower floor takes what is there."""
    context = CellContext(
        tmp_path, {}, Machine(), DataOptions(tmp_path), "teacher", logging.getLogger("test")
    )
    short = TrainingRecipe(epochs=1, updates_per_epoch=2, batch_size=16)
    recipe = classifier.Recipe(
        arch="resnet18",
        dataset="digits",
        width=0.0625,
        image_size=8,
        seed=0,
        training=short,
        floor=0.99,
    )
    with pytest.raises(BenchmarkError, match="below the recipe's floor 99") as first:
        classifier.run(context, recipe)
    monkeypatch.setattr(
        "benchmarks.training.epoch.EpochRunner.run", lambda *given: pytest.fail("again")
    )
    with pytest.raises(BenchmarkError) as second:
        classifier.run(context, recipe)
    assert str(first.value) == str(second.value)
    metrics = classifier.run(context, msgspec.structs.replace(recipe, floor=0.0))
    assert (metrics["train_images"], metrics["test_images"]) == (1297, 500)
    assert metrics["classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"
    assert not (tmp_path / "training.pt").exists()
