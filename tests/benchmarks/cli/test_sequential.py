"""Sequential methods in the harness: one cell and one worker, which it says, and a clean end."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.cli import table_options
from benchmarks.cli.execution_options import RunOptions
from benchmarks.cli.options import PathOptions
from benchmarks.engine.cell import with_inputs
from benchmarks.engine.checkpoints import delete_checkpoints
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.executor import Summary
from benchmarks.engine.machine import Machine
from benchmarks.recipes.resolve import Recipes
from benchmarks.synthesis.generate_images import Recipe, run
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion import checkpoint
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers.weights import WEIGHTS, Classifier, save_classifier
from naturalinversion.image_store.meta import IMAGES
from naturalinversion.image_store.shards import shard_path
from naturalinversion.synthesis.sequence import STATE
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD
from naturalinversion.teacher.teacher import Teacher
from tests.benchmarks.command_line import here

SMALL = {
    **{"epochs": 3, "warmup": 1, "inner_steps": 2, "student_steps": 2, "student_batch": 8},
    **{"latent": 8, "generator_width": 0.125},
}


def planned(*overrides: str) -> PlannedTable:
    recipes = Recipes("demo", "digits", overrides)
    spec = read_table("table5")
    return expand(spec, recipes, [0], methods=["fast", "ni", "di"], rows=["vgg11-resnet18"])


def test_batches_that_build_on_each_other_are_one_cell_whatever_the_chunk() -> None:
    carried = "ni.settings.carried=true"
    made = with_inputs(planned("protocol.chunk=1", carried).targets)
    counts: dict[str, list[int]] = {}
    for cell in made:
        if cell.kind == "synthesis":
            counts.setdefault(cell.recipe["method"], []).append(cell.recipe["batches"])
    assert counts == {"fast": [16], "ni": [3], "di": [1, 1, 1]}


@pytest.mark.parametrize("workers", [1, 2])
def test_several_workers_are_told_that_one_makes_them(
    workers: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table_options, "run", lambda *given: Summary())
    execution = RunOptions(device="cpu", workers=workers)
    table_options.compute_cells([planned()], PathOptions(), execution)
    said = [line for line in capfd.readouterr().err.splitlines() if "in order" in line]
    assert said == (
        ["digits-vgg11-fast-resnet18-s0: one worker makes its 16 batches, in order"]
        if workers > 1
        else []
    )


@pytest.fixture
def make(tmp_path: Path, make_teacher: Callable[..., Teacher]) -> Callable[..., Path]:
    def make(name: str, log: logging.Logger) -> Path:
        """Three batches of eight images by Fast-DFKD, with their student."""
        inputs = {"teacher": tmp_path / "teacher"}
        for folder in (inputs["teacher"], tmp_path / name):
            folder.mkdir(exist_ok=True)
        description = Classifier("resnet18", 4, 0.0625, 16, CIFAR10_MEAN, CIFAR10_STD)
        save_classifier(inputs["teacher"] / WEIGHTS, make_teacher("resnet18").model, description)
        context = CellContext(
            tmp_path / name, inputs, Machine(), DataOptions(tmp_path), "fast", log
        )
        run(context, Recipe("fast", SMALL, 3, 8, 0, student="resnet18", width=0.0625))
        return context.folder

    return make


def test_a_cell_cut_short_between_batches_ends_with_the_same_bytes(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with a shard on disk and its state not yet, after the last state, and at the end."""
    whole = make("whole", logging.getLogger("test"))
    assert STATE.startswith("."), "the record would hold the state's digest"
    save = Checkpoint.save
    states: list[int] = []

    def stops(self: Checkpoint, state: dict[str, Any], **more: Any) -> None:
        if "batches" in state:
            states.append(state["batches"])
            if len(states) == 2:
                raise KeyboardInterrupt
        save(self, state, **more)
        if "batches" in state and state["batches"] == 3 and states.count(3) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "EVERY", 0.0)  # written after each batch
    monkeypatch.setattr(Checkpoint, "save", stops)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make("cut", logging.getLogger("test"))
    for _ in range(2):  # the second time its record was not written
        cut = make("cut", logging.getLogger("test"))
    assert states == [1, 2, 2, 3], "batch 1 was made again from batch 0's state, nothing after that"
    for index in range(3):
        first, second = (shard_path(folder / IMAGES, index) for folder in (whole, cut))
        assert first.read_bytes() == second.read_bytes()
    assert (whole / WEIGHTS).read_bytes() == (cut / WEIGHTS).read_bytes(), "the student"
    delete_checkpoints(cut)
    assert not (cut / IMAGES / STATE).exists()


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """``synthesize`` by Fast-DFKD in batches of eight, to ``out``."""
    model = Classifier("resnet18", 4, 0.125, 16, (0.5,) * 3, (0.5,) * 3).build(0)
    torch.save(model.state_dict(), tmp_path / "mine.pt")
    settings = [f"--set=fast.settings.{name}={value}" for name, value in SMALL.items()]
    return [
        *("synthesize", "--out", str(tmp_path / "out"), "--method", "fast", "--arch", "resnet18"),
        *("--weights", str(tmp_path / "mine.pt"), "--num-classes", "4", "--width", "0.125"),
        *("--image-size", "16", "--batch-size", "8", "--student", "resnet18"),
        *("--device", "cpu", "--threads", "1", *settings),
    ]


def test_synthesize_keeps_the_student_and_leaves_no_state(
    command: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert here(capfd, *command, "--images", "24")[0] == 0
    assert (tmp_path / "out" / "student.safetensors").is_file()
    assert not (tmp_path / "out" / STATE).exists()
    code, _, err = here(capfd, *command, "--images", "24")
    assert code == 0
    assert "done" not in err, "nothing is made twice"
    code, _, err = here(capfd, *command, "--images", "32")
    assert code == 2
    assert "4 batches: the schedule ends with epoch 3, one batch each" in err


def test_the_student_kept_is_that_of_the_images_asked_for(
    command: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "out" / "student.safetensors"
    assert here(capfd, *command, "--images", "8")[0] == 0
    of_one = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.cli.kept_student.save_classifier", interrupt)
        assert here(capfd, *command, "--images", "16")[0] == 130
    assert path.read_bytes() == of_one, "nothing is lost before there is another"
    code, _, err = here(capfd, *command, "--images", "16")
    assert code == 0
    assert f"{path} was not trained on 2 batches: trained again" in err
    assert "batch 2 of 2 done" not in err, "its state was kept"
    of_two = path.read_bytes()
    assert of_two != of_one
    code, _, err = here(capfd, *command, "--images", "8")
    assert code == 2
    assert f"{path} was trained on 2 batches, not 1: take another folder" in err
    (tmp_path / "out" / "student.json").unlink()
    code, _, err = here(capfd, *command, "--images", "16")
    assert code == 0
    assert f"{path} was not trained on 2 batches: trained again" in err, "nothing says so"
    assert path.read_bytes() == of_two


def interrupt(*given: object) -> None:
    raise KeyboardInterrupt
