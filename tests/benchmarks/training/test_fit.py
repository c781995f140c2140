"""A classifier trained in a cell, and the floor it must reach."""

import logging
from pathlib import Path

import msgspec
import pytest

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import run_cell
from benchmarks.engine.checkpoints import TRAINING
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.tables.registry import KINDS
from benchmarks.training import classifier
from naturalinversion.errors import BenchmarkError
from reports.records import read


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
    metrics = classifier.run(context, msgspec.structs.replace(recipe, asked_floor=0.0))
    assert (metrics["train_images"], metrics["test_images"]) == (1297, 500)
    assert metrics["classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


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
