"""Temperature squared in the loss: wherever a network is distilled, and one switch away."""

import logging
from pathlib import Path

import msgspec
import pytest
import torch

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.evaluation import distillation, pruning
from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.schema import PruningProtocol, TrainingRecipe
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.image_store.meta import IMAGES, Meta, write_meta
from naturalinversion.image_store.shards import write_shard

MEAN, STD = (0.3, 0.3, 0.3), (0.3, 0.3, 0.3)
NETWORK = Classifier("resnet18", 10, 0.0625, 8, MEAN, STD)
BATCHES, SIZE = 2, 32
STILL = TrainingRecipe(  # so slow that the loss is that of the network as it starts
    epochs=1, batch_size=32, lr=1e-12, weight_decay=0.0, schedule="constant", crop=0, flip=False
)
TUNING = PruningProtocol("block", "distillation", STILL)
IMAGES_OF = ImageSelection([BATCHES], BATCHES * SIZE)
OFF = "protocol.temperature_squared=false"


def work_in(folder: Path) -> CellContext:
    """A cell's folder with a random teacher and images of noise."""
    inputs = {role: folder / role for role in ("teacher", "images0")}
    for path in (folder / "cell", inputs["teacher"], inputs["images0"] / IMAGES):
        path.mkdir(parents=True)
    model = NETWORK.build(1)
    save_classifier(inputs["teacher"] / WEIGHTS, model, NETWORK)
    write_meta(
        inputs["images0"] / IMAGES, Meta("noise", "", 10, (3, 8, 8), MEAN, STD, 0, SIZE, BATCHES)
    )
    draws = torch.Generator().manual_seed(0)
    for batch in range(BATCHES):
        noise = torch.randn(SIZE, 3, 8, 8, generator=draws)
        labels = torch.arange(SIZE) % 10
        write_shard(inputs["images0"] / IMAGES, batch, noise, labels)
    log = logging.getLogger("test")
    return CellContext(folder / "cell", inputs, Machine(), DataOptions(folder), "factor", log)


def first_loss(kind: str, squared: bool, folder: Path) -> float:
    """What a student, or a pruned network, is asked to lower."""
    shared = ("resnet18", "digits", 0.0625, 8, 0)
    if kind == "distillation":
        recipe = distillation.Recipe(*shared, STILL, 4.0, squared, IMAGES_OF)
        found = distillation.run(work_in(folder), recipe)["final_loss"]
    else:
        tuned = pruning.Recipe(*shared, 0.5, TUNING, 4.0, squared, IMAGES_OF)
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
