"""What fine-tuning a pruned teacher on synthetic images leaves behind."""

import functools
import hashlib
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

from benchmarks.datasets.load import load
from benchmarks.engine.cell import make_cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import RandomClassifier
from benchmarks.evaluation.l1_pruning import PrunedClassifier, example_of, load_pruned, prune
from benchmarks.evaluation.pruning import Recipe, count_steps, run
from benchmarks.recipes.schema import PruningProtocol, TrainingRecipe
from benchmarks.synthesis.image_sets import ImageSelection
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import train
from benchmarks.training.losses import cross_entropy_loss
from benchmarks.training.training_steps import ForwardStep, TrainingStep
from naturalinversion.classifiers.weights import (
    WEIGHTS,
    Classifier,
    load_classifier,
    save_classifier,
)
from naturalinversion.errors import UsageError
from naturalinversion.image_store.meta import IMAGES, Meta, write_meta
from naturalinversion.image_store.shards import write_shard

MEAN, STD = (0.3055, 0.3055, 0.3055), (0.3234, 0.3234, 0.3234)
DESCRIPTION = Classifier("resnet18", 10, 0.0625, 8, MEAN, STD)
BATCHES, SIZE = 2, 32
TRAINING = TrainingRecipe(epochs=2, batch_size=32, lr=0.01, schedule="constant", crop=1, flip=False)
RECIPE = Recipe(
    arch="resnet18",
    dataset="digits",
    width=0.0625,
    image_size=8,
    seed=0,
    ratio=0.5,
    pruning=PruningProtocol("block", "cross_entropy", TRAINING),
    temperature=3.0,
    temperature_squared=True,
    images=ImageSelection([BATCHES], BATCHES * SIZE),
)


@functools.cache
def trained() -> nn.Module:
    """A teacher that knows some of the digits."""
    split = load("digits", root=Path("nowhere"), image_size=8).train
    source = DeviceDataset(split.images, split.labels, torch.tensor(MEAN), torch.tensor(STD))
    model = DESCRIPTION.build(1)
    recipe = msgspec.structs.replace(TRAINING, epochs=1, lr=0.05, updates_per_epoch=80)
    train(model, source, recipe, loss=cross_entropy_loss(), seed=0, device="cpu")
    return model


def recipe(**changes: Any) -> Recipe:
    """With ``changes`` in how the pruned network is tuned."""
    protocol = msgspec.structs.replace(RECIPE.pruning, **changes)
    return msgspec.structs.replace(RECIPE, pruning=protocol)


def work_in(tmp_path: Path, name: str = "cell", shift: int = 0) -> CellContext:
    """A teacher, and "synthetic" images that are real digits labelled ``shift`` further."""
    folders = {role: tmp_path / f"{name}-{role}" for role in ("teacher", "images0")}
    teacher, images = folders["teacher"], folders["images0"] / IMAGES
    for folder in (teacher, images, tmp_path / name):
        folder.mkdir(parents=True)
    save_classifier(teacher / WEIGHTS, trained(), DESCRIPTION)
    split = load("digits", root=tmp_path, image_size=8).train
    write_meta(images, Meta("copy", "", 10, (3, 8, 8), MEAN, STD, 0, SIZE, BATCHES))
    for batch in range(BATCHES):
        part = slice(batch * SIZE, (batch + 1) * SIZE)
        pixels = (split.images[part] / 255 - MEAN[0]) / STD[0]
        write_shard(images, batch, pixels, (split.labels[part] + shift) % 10)
    log = logging.getLogger("test")
    return CellContext(tmp_path / name, folders, Machine(), DataOptions(tmp_path), "figure6", log)


def right_answers(model: nn.Module) -> float:
    split = load("digits", root=Path("nowhere"), image_size=8).test
    images = (split.images / 255 - MEAN[0]) / STD[0]
    with torch.no_grad():
        return float((model.eval()(images).argmax(dim=1) == split.labels).double().mean())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("loss", ["cross_entropy", "distillation"])
def test_a_cell_prunes_tunes_and_tests(loss: str, tmp_path: Path) -> None:
    context = work_in(tmp_path)
    weights = context.inputs["teacher"] / WEIGHTS
    before = digest(weights)
    metrics = run(context, recipe(loss=loss))
    assert digest(weights) == before, "the teacher's file is only read"
    teacher, _ = load_classifier(weights)
    assert metrics["unpruned_accuracy"] == pytest.approx(right_answers(teacher), abs=0.003)
    report = prune(teacher, example_of(DESCRIPTION), RECIPE.ratio, RECIPE.pruning.layers)
    assert metrics["untuned_accuracy"] == pytest.approx(right_answers(teacher), abs=0.003)
    for name in ("flops_before", "flops_after", "parameters_before", "parameters_after"):
        assert metrics[name] == getattr(report, name)
    tuned, description = load_pruned(context.folder / WEIGHTS)
    assert description == PrunedClassifier(
        DESCRIPTION, RECIPE.ratio, RECIPE.pruning.layers, report.kept
    )
    assert metrics["test_accuracy"] == pytest.approx(right_answers(tuned), abs=0.003)
    assert metrics["best_test_accuracy"] == metrics["test_accuracy"], "tested once, at the end"
    assert isinstance(metrics["final_loss"], float)
    assert (metrics["synthetic_images"], metrics["images_seen"]) == (64, 2 * 64)
    assert set(metrics) == {
        *("unpruned_accuracy", "untuned_accuracy", "test_accuracy", "best_test_accuracy"),
        *("flops_before", "flops_after", "parameters_before", "parameters_after"),
        *("final_loss", "images_seen", "synthetic_images", "data_fingerprint", "test_images"),
    }
    assert metrics["test_images"] == 500
    assert [file.name for file in context.folder.glob("[!.]*")] == [WEIGHTS]


def test_labels_teach_with_cross_entropy_and_do_not_count_in_distillation(tmp_path: Path) -> None:
    def tuned(loss: str, shift: int) -> str:
        context = work_in(tmp_path, f"{loss}{shift}", shift)
        run(context, recipe(loss=loss))
        return digest(context.folder / WEIGHTS)

    assert tuned("distillation", 0) == tuned("distillation", 3)
    assert tuned("cross_entropy", 0) != tuned("cross_entropy", 3)


def test_it_is_tuned_on_the_images_as_they_are_stored_or_on_pixels_of_them(tmp_path: Path) -> None:
    def tuned(pixels: str) -> str:
        images = msgspec.structs.replace(RECIPE.images, pixels=pixels)
        context = work_in(tmp_path, pixels)
        run(context, msgspec.structs.replace(RECIPE, images=images))
        return digest(context.folder / WEIGHTS)

    assert len({tuned(pixels) for pixels in ("stored", "denormalize", "minmax")}) == 3


def test_tuning_mends_what_pruning_broke(tmp_path: Path) -> None:
    training = msgspec.structs.replace(TRAINING, epochs=10, lr=0.05)
    metrics = run(work_in(tmp_path), recipe(training=training))
    unpruned, untuned, tuned = (
        metrics[f"{name}_accuracy"] for name in ("unpruned", "untuned", "test")
    )
    assert isinstance(unpruned, float)
    assert isinstance(untuned, float)
    assert isinstance(tuned, float)
    assert untuned < unpruned - 0.1
    assert tuned > untuned + 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": ImageSelection([], 0)},
            "figure6: fine-tuning needs synthetic images, the recipe names none",
        ),
        (
            {"arch": "resnet34"},
            "figure6: the recipe's network is not the teacher's, ('resnet18', 0.0625, 8)",
        ),
        ({"ratio": 1.0}, "pruning ratio 1.0 is not in [0, 1)"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_line(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    recipe = msgspec.structs.replace(RECIPE, **change)
    with pytest.raises(UsageError) as caught:
        run(work_in(tmp_path), recipe)
    assert str(caught.value) == message


@pytest.mark.parametrize("loss", ["cross_entropy", "distillation"])
def test_its_steps_are_updates_and_three_tests(loss: str) -> None:
    images = ImageSelection([2, 4], 100)
    cell = make_cell("pruning", "p", msgspec.structs.replace(recipe(loss=loss), images=images), {})
    network = RandomClassifier("resnet18", 0.0625, 8, 10)
    teacher = network if loss == "distillation" else None
    assert count_steps(cell, 10, 1297, 500) == {
        TrainingStep(network, 32, teacher): 2 * 4,
        ForwardStep(network): 3 * 500,
    }
