"""Training from scratch on synthetic images: it learns from their labels and is tested on both
real splits."""

import logging
from pathlib import Path

import msgspec
import pytest
import torch

from benchmarks.datasets.load import load
from benchmarks.engine.cell import make_cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import RandomClassifier
from benchmarks.evaluation.scratch import Recipe, count_steps, run
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers.weights import WEIGHTS, load_classifier
from naturalinversion.image_store.meta import IMAGES, Meta, write_meta
from naturalinversion.image_store.shards import write_shard
from naturalinversion.teacher.teacher import Teacher

MEAN, STD = (0.3, 0.3, 0.3), (0.25, 0.25, 0.25)  # not the data set's own
BATCHES, SIZE = 4, 64
TRAINING = TrainingRecipe(epochs=8, batch_size=32, lr=0.05, crop=1, flip=False)
RECIPE = Recipe(
    arch="resnet18",
    dataset="digits",
    width=0.0625,
    image_size=8,
    seed=3,
    training=TRAINING,
    images=ImageSelection([BATCHES], BATCHES * SIZE),
)


def write_set(cell: Path, shift: int = 0, first: int = 0, contrast: float = 1.0) -> None:
    """ "Synthetic" images that are real digits, with the label ``shift`` classes further."""
    split = load("digits", root=Path("nowhere"), image_size=8).train
    folder = cell / IMAGES
    folder.mkdir(parents=True)
    write_meta(folder, Meta("copy", "", 10, (3, 8, 8), MEAN, STD, 0, SIZE, BATCHES))
    for batch in range(BATCHES):
        part = slice(first + batch * SIZE, first + (batch + 1) * SIZE)
        images = (contrast * split.images[part] / 255 - MEAN[0]) / STD[0]
        write_shard(folder, batch, images, (split.labels[part] + shift) % 10)


def work_in(tmp_path: Path, *sets: Path) -> CellContext:
    inputs = {f"images{index}": folder for index, folder in enumerate(sets)}
    folder = tmp_path / "cell"
    folder.mkdir()
    log = logging.getLogger("test")
    return CellContext(folder, inputs, Machine(), DataOptions(tmp_path), "table2", log)


def share(tmp_path: Path, shift: int, name: str = "train") -> float:
    """How often the trained network calls a real image of a split ``shift`` classes further."""
    model = Teacher.from_classifier(*load_classifier(tmp_path / "cell" / WEIGHTS))
    digits = load("digits", root=tmp_path, image_size=8)
    split = digits.train if name == "train" else digits.test
    with torch.no_grad():
        answers = model(model.normalize(split.images / 255)).argmax(dim=1)
    return float((answers == (split.labels + shift) % 10).float().mean())


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Metrics]:
    """A folder with the cell of a network trained on a set, and the cell's metrics."""
    folder = tmp_path_factory.mktemp("learnt")
    write_set(folder / "set")
    return folder, run(work_in(folder, folder / "set"), RECIPE)


def test_it_learns_the_digits_and_reports_both_splits(learnt: tuple[Path, Metrics]) -> None:
    folder, metrics = learnt
    assert isinstance(metrics["train_accuracy"], float)
    assert isinstance(metrics["test_accuracy"], float)
    assert 0.4 < metrics["train_accuracy"] < 1
    assert 0.4 < metrics["test_accuracy"] < 1
    assert metrics["best_test_accuracy"] == metrics["test_accuracy"], "tested once, at the end"
    assert metrics["train_accuracy"] == pytest.approx(share(folder, 0), abs=0.002)
    assert (metrics["synthetic_images"], metrics["images_seen"]) == (256, 8 * 256)
    digits = load("digits", root=folder, image_size=8)
    assert (metrics["data_fingerprint"], metrics["test_images"]) == (digits.fingerprint, 500)
    assert [file.name for file in (folder / "cell").glob("[!.]*")] == [WEIGHTS]


def test_each_split_has_its_own_accuracy(learnt: tuple[Path, Metrics]) -> None:
    folder, metrics = learnt
    own = {name: share(folder, 0, name) for name in ("train", "test")}
    assert own["train"] != own["test"]
    for name, expected in own.items():
        assert metrics[f"{name}_accuracy"] == pytest.approx(expected, abs=1e-4)


def test_the_labels_are_what_it_learns(tmp_path: Path) -> None:
    write_set(tmp_path / "set", shift=3)
    metrics = run(work_in(tmp_path, tmp_path / "set"), RECIPE)
    assert isinstance(metrics["train_accuracy"], float)
    assert metrics["train_accuracy"] < 0.2
    assert share(tmp_path, 3) > 0.4


def test_it_is_trained_on_the_images_as_they_are_stored_or_on_pixels_of_them(
    tmp_path: Path,
) -> None:
    """Faint digits that the writer of files stretches are digits again."""
    write_set(tmp_path / "faint", contrast=0.1)
    found = {}
    for pixels in ("stored", "denormalize", "minmax"):
        (tmp_path / pixels).mkdir()
        context = work_in(tmp_path / pixels, tmp_path / "faint")
        images = msgspec.structs.replace(RECIPE.images, pixels=pixels)
        metrics = run(context, msgspec.structs.replace(RECIPE, images=images))
        found[pixels] = metrics["train_accuracy"]
    assert found["stored"] != found["denormalize"]
    assert max(found["stored"], found["denormalize"]) < found["minmax"] - 0.1


def test_the_network_sees_real_images_as_it_saw_the_synthetic_ones(
    learnt: tuple[Path, Metrics],
) -> None:
    model = Teacher.from_classifier(*load_classifier(learnt[0] / "cell" / WEIGHTS))
    assert (model.mean, model.std, model.num_classes) == (MEAN, STD, 10)


def test_its_steps_are_updates_and_both_splits() -> None:
    recipe = msgspec.structs.replace(RECIPE, images=ImageSelection([2, 2], 100))
    cell = make_cell("scratch", "s", recipe, {})
    network = RandomClassifier("resnet18", 0.0625, 8, 10)
    assert count_steps(cell, 10, 1297, 500) == {
        TrainingStep(network, 32): 8 * 4,
        ForwardStep(network): 1297 + 500,
    }
