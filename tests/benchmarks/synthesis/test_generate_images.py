"""A synthesis cell: what it leaves beside the images."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.engine.checkpoints import PREPARE
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from benchmarks.synthesis.generate_images import Recipe, run
from naturalinversion import checkpoint
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.errors import UsageError
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.meta import IMAGES
from naturalinversion.image_store.sample_grid import GRID
from naturalinversion.image_store.shards import shard_path
from naturalinversion.inversion.loss_history import LOSSES
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD
from naturalinversion.teacher.teacher import Teacher

NI = {"iterations": 5, "latent": 8, "generator_width": 0.1, "shared_batch": 8}
JOINT = {"epochs": 1, "steps": 1, "batch_size": 8, "latent": 8, "generator_width": 0.1}


@pytest.fixture
def make(
    tmp_path: Path, make_teacher: Callable[..., Teacher]
) -> Callable[..., tuple[Metrics, Path]]:
    def make(
        recipe: Recipe | None = None, cell: str = "cell", **settings: object
    ) -> tuple[Metrics, Path]:
        """Two batches of eight images of four classes, by NI where no recipe is given."""
        inputs = {"teacher": tmp_path / "teacher"}
        inputs["teacher"].mkdir(exist_ok=True)
        (tmp_path / cell).mkdir(exist_ok=True)
        description = Classifier("resnet18", 4, 0.0625, 16, CIFAR10_MEAN, CIFAR10_STD)
        save_classifier(inputs["teacher"] / WEIGHTS, make_teacher("resnet18").model, description)
        log = logging.getLogger("test")
        context = CellContext(tmp_path / cell, inputs, Machine(), DataOptions(tmp_path), "ni", log)
        return run(context, recipe or Recipe("ni", NI | settings, 2, 8, 0)), context.folder

    return make


@pytest.mark.parametrize("one_to_one", [True, False])
def test_the_course_of_the_training_is_kept_and_its_end_recorded(
    one_to_one: bool, make: Callable[..., tuple[Metrics, Path]]
) -> None:
    """That of the first batch's generator, or of the one that all batches share (Figure 5)."""
    metrics, folder = make(one_to_one=one_to_one)
    with open(folder / LOSSES, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert {"cross_entropy", "bn_statistics", "total"} < set(rows[0])
    mean = sum(float(row["total"]) for row in rows) / len(rows)
    assert metrics["final_total"] == pytest.approx(mean)


def test_a_cell_of_later_batches_has_those_of_the_whole_and_the_losses_of_its_first(
    make: Callable[..., tuple[Metrics, Path]],
) -> None:
    _, whole = make(iterations=2)
    recipe = Recipe("ni", NI | {"iterations": 2}, 1, 8, 0, first=1)
    metrics, later = make(recipe, "later")
    assert {"final_total", "final_cross_entropy"} < set(metrics)
    losses = (later / LOSSES).read_bytes()
    assert losses != (whole / LOSSES).read_bytes(), "of batch 0"
    (later / LOSSES).unlink()
    make(recipe, "later")
    assert (later / LOSSES).read_bytes() == losses, "the batch that had them was made again"
    shards = [shard_path(folder / IMAGES, 1).read_bytes() for folder in (later, whole)]
    assert shards[0] == shards[1]


def test_lost_losses_come_back_with_the_batch_that_had_them(
    make: Callable[..., tuple[Metrics, Path]],
) -> None:
    """All images are there, so nothing else would be made."""
    metrics, folder = make()
    losses, images = (folder / LOSSES).read_bytes(), SyntheticDataset(folder / IMAGES).tensors()[0]
    (folder / LOSSES).unlink()
    assert make()[0] == metrics
    assert (folder / LOSSES).read_bytes() == losses
    assert torch.equal(SyntheticDataset(folder / IMAGES).tensors()[0], images)


def test_images_of_a_method_without_losses_are_kept_at_the_next_start(
    make: Callable[..., tuple[Metrics, Path]],
) -> None:
    noise = Recipe("noise", {}, 1, 8, 0)
    metrics, folder = make(recipe=noise)
    assert "iterations" not in metrics
    shard = shard_path(folder / IMAGES, 0)
    before = shard.stat().st_mtime_ns
    assert make(recipe=noise)[0] == metrics
    assert shard.stat().st_mtime_ns == before


@pytest.mark.parametrize("method", ["ni", "dafl"])
def test_images_come_from_the_cells_seed(
    method: str, make: Callable[..., tuple[Metrics, Path]]
) -> None:
    joint = {"student": "resnet18", "width": 0.0625} if method == "dafl" else {}
    settings = JOINT if method == "dafl" else NI
    made = {}
    for cell, seed in (("a", 0), ("b", 1), ("again", 0)):
        _, folder = make(Recipe(method, settings, 2, 8, seed, **joint), cell)
        made[cell] = SyntheticDataset(folder / IMAGES, 2).tensors()[0]
    assert torch.equal(made["a"], made["again"])
    assert not torch.equal(made["a"][:8], made["b"][:8])
    assert not torch.equal(made["a"][8:], made["b"][8:])


def test_the_grid_takes_what_the_first_batch_lacks_from_the_next(
    make: Callable[..., tuple[Metrics, Path]],
) -> None:
    """Two of every class in a batch of eight, so two batches fill four of six rows."""
    _, folder = make()
    sheet = np.asarray(Image.open(folder / GRID))
    column = [(sheet[row * 16 :][:16, :16] == 255).all() for row in range(6)]
    assert column == [False] * 4 + [True] * 2


def test_images_of_one_colour_are_counted_and_logged(
    make: Callable[..., tuple[Metrics, Path]], caplog: pytest.LogCaptureFixture
) -> None:
    """A scale of nothing leaves every image without contrast."""
    metrics, _ = make(channel_scaling=False, fixed_scale=0.0)
    assert metrics["flat_images"] == metrics["images"] == 16
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line for line in said if line.startswith("batch")] == [
        f"batch {index}: 8 images are of one colour" for index in (0, 1)
    ]


def test_images_that_the_teacher_takes_for_others_are_told_of_in_log_and_terminal(
    make: Callable[..., tuple[Metrics, Path]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    metrics, _ = make()
    share = metrics["teacher_agreement"]
    assert isinstance(share, float)
    assert share < 0.5, "a random teacher, five iterations"
    line = f"the teacher gives the asked label to {share:.0%} of the images only: "
    assert [r for r in caplog.records if r.getMessage().startswith(line)]
    assert f"warning: ni: {line}" in capfd.readouterr().err


def test_killed_in_its_last_computation_a_joint_method_keeps_its_training(
    make: Callable[..., tuple[Metrics, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.synthesis.generate_images.teacher_agreement", killed)
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)  # written after each epoch
    with pytest.raises(KeyboardInterrupt):
        make(Recipe("dfad", JOINT, 2, 8, 0, student="resnet18", width=0.0625))
    assert (tmp_path / "cell" / PREPARE).is_file()


def test_a_method_that_was_edited_since_it_was_planned_is_not_run(tmp_path: Path) -> None:
    """Workers import it later than its file's digest was taken."""
    recipe = Recipe("contract_methods:FromOutside", {"noise": 0.5}, 1, 4, 0, source="0" * 64)
    log = logging.getLogger("test")
    context = CellContext(tmp_path, {}, Machine(), DataOptions(tmp_path), "mine", log)
    with pytest.raises(UsageError, match=r"the code of contract_methods:FromOutside is .* by now"):
        run(context, recipe)
