"""Temperature squared in the loss: wherever a network is distilled, and one switch away."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.evaluation import distillation, pruning
from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.schema import PruningProtocol
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement
from tests.benchmarks.evaluation.noise_cell import IMAGES_OF, STILL, work_in

TUNING = PruningProtocol("block", "distillation", STILL)
OFF = "protocol.temperature_squared=false"


def first_loss(kind: str, squared: bool, folder: Path) -> float:
    """What a student, or a pruned network, is asked to lower."""
    shared: dict[str, Any] = {
        "arch": "resnet18",
        "dataset": "digits",
        "width": 0.0625,
        "image_size": 8,
        "seed": 0,
        "temperature": 4.0,
        "temperature_squared": squared,
        "images": IMAGES_OF,
    }
    if kind == "distillation":
        recipe = distillation.Recipe(**shared, training=STILL)
        found = distillation.run(work_in(folder), recipe)["final_loss"]
    else:
        tuned = pruning.Recipe(**shared, ratio=0.5, pruning=TUNING)
        found = pruning.run(work_in(folder), tuned)["final_loss"]
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize("kind", ["distillation", "pruning"])
def test_the_loss_is_multiplied_by_temperature_squared(kind: str, tmp_path: Path) -> None:
    plain, squared = (first_loss(kind, on, tmp_path / str(on)) for on in (False, True))
    assert plain > 0
    assert squared == pytest.approx(16 * plain, rel=1e-4)


def distilling(*overrides: str) -> list[Cell]:
    """Every cell that distils for ADI's number, and a pruning cell."""
    pipeline = Pipeline(Recipes("demo", "digits", overrides).resolve("resnet34"), 0)
    asked = Measurement(method="adi", student="resnet18", ratio=0.5)
    cells = with_inputs([pipeline.student(asked), pipeline.pruning(asked)])
    return [cell for cell in cells if cell.kind in ("distillation", "pruning")]


def test_every_distilled_network_follows_the_protocols_switch() -> None:
    """A fresh student, the one in the rounds, and a pruned network alike."""
    assert len(distilling()) == 3
    assert {cell.recipe["temperature_squared"] for cell in distilling()} == {True}
    assert {cell.recipe["temperature_squared"] for cell in distilling(OFF)} == {False}


def test_the_switch_is_part_of_a_cells_name() -> None:
    assert not {cell.key for cell in distilling()} & {cell.key for cell in distilling(OFF)}


def test_dafls_own_student_needs_no_factor() -> None:
    """Its loss is at temperature 1, where the factor is one: no switch reaches it."""
    on, off = (Recipes("demo", "digits", given).resolve().method("dafl") for given in ((), (OFF,)))
    assert on == off
    assert on.settings["temperature"] == 1.0
    assert msgspec.to_builtins(on) == msgspec.to_builtins(off)
