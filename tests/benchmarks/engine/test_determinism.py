"""The whole row of Table 5, every method: the same bytes again; with more threads almost."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kill import differences

from benchmarks.engine import executor
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.context import DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import read_table
from naturalinversion import SyntheticDataset

# What another number of threads may change (docs/determinism.md).
PIXELS = 0.01  # of a standard deviation of the images
FIRST = 1e-4  # of a loss before the first step
LOSSES = 1e-3  # of a loss after steps of Adam
GAME = 0.5  # of a loss in the first epoch of generator against student
SIZES = [
    "protocol.classifier_floor=0",
    "protocol.network.width=0.0625",
    *(f"protocol.{who}.epochs=1" for who in ("classifier", "student")),
    *(f"protocol.{who}.updates_per_epoch=2" for who in ("classifier", "student")),
    *(f"protocol.{who}.batch_size=32" for who in ("classifier", "student")),
    *(f"{name}.settings.batch_size=16" for name in ("dafl", "dfad")),
    *(f"{name}.batch_size=20" for name in ("di", "adi", "ni", "ni_adi", "dafl", "dfad")),
    *(f"{name}.settings.iterations=3" for name in ("di", "adi", "ni", "ni_adi")),
    *(f"{name}.batches=2" for name in ("di", "ni", "dafl", "dfad")),
    *(f"{name}.settings.{what}=2" for name in ("dafl", "dfad") for what in ("epochs", "steps")),
    *(f"{name}.batches=2" for name in ("adi", "ni_adi")),
    *(f"{name}.rounds.start_batches=1" for name in ("adi", "ni_adi")),
    *(f"{name}.rounds.rounds=1" for name in ("adi", "ni_adi")),
    *(f"{name}.rounds.student.epochs=1" for name in ("adi", "ni_adi")),
    *(f"{name}.rounds.student.updates_per_epoch=2" for name in ("adi", "ni_adi")),
]


@pytest.fixture(scope="module")
def row() -> list[Cell]:
    """Its cells: classifiers, images and students of all six methods."""
    table = read_table("table5")
    recipes = Recipes("demo", "digits", SIZES)
    cells = expand(table, recipes, [0], rows=["vgg11-resnet18"]).targets
    methods = {cell.recipe["method"] for cell in with_inputs(cells) if cell.kind == "synthesis"}
    assert methods == {"di", "adi", "ni", "ni_adi", "dafl", "dfad"}
    return cells


@pytest.fixture(scope="module", autouse=True)
def _switches() -> Iterator[None]:
    """Before the first cell is made."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict, warn_only=warns)


@pytest.fixture(scope="module")
def runs(_switches: None, row: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The row as one thread makes it."""
    return make(row, tmp_path_factory.mktemp("one"), threads=1)


def make(row: list[Cell], folder: Path, threads: int) -> Path:
    """Every cell of the row, in this process."""
    machine = Machine("cpu", "fp32", threads)
    assert not executor.run(row, KINDS, folder, machine, DataOptions()).failed
    return folder


def test_the_same_row_has_the_same_bytes(row: list[Cell], runs: Path, tmp_path: Path) -> None:
    """Whatever state the process is in."""
    torch.manual_seed(1)
    torch.rand(7)
    assert list(differences(runs, make(row, tmp_path, threads=1))) == []


def test_more_threads_change_images_by_rounding_only(
    row: list[Cell], runs: Path, tmp_path: Path
) -> None:
    """Of the same teachers; Adam makes steps of rounding where a gradient is next to nothing."""
    shutil.copytree(runs / "classifier", tmp_path / "classifier")
    sets = [cell for cell in with_inputs(row) if cell.kind == "synthesis"]
    assert len(sets) == 6
    make(sets, tmp_path, threads=2)
    for cell in sets:
        one, two = (cell.folder(folder) for folder in (runs, tmp_path))
        losses = [pd.read_csv(folder / "losses.csv") for folder in (one, two)]
        if cell.recipe["method"] in ("dafl", "dfad"):
            np.testing.assert_allclose(losses[0][:1], losses[1][:1], rtol=GAME)
            continue
        np.testing.assert_allclose(losses[0][:1], losses[1][:1], rtol=FIRST)
        np.testing.assert_allclose(losses[0], losses[1], rtol=LOSSES)
        images = [SyntheticDataset(folder / "images").tensors() for folder in (one, two)]
        assert torch.equal(images[0][1], images[1][1])
        apart = (images[0][0].float() - images[1][0].float()).square().mean().sqrt()
        assert apart <= PIXELS * images[0][0].float().std(), cell.label
