"""The student that ``synthesize`` trains jointly, and what is taken for it in the same folder."""

from pathlib import Path
from typing import Any

import pytest

from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers.weights import Classifier, load_classifier, save_classifier
from naturalinversion.errors import DivergedError
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD
from tests.benchmarks.cli.inversion import invert
from tests.benchmarks.command_line import here, one_line


def dafl(weights: Path, out: Path, **changes: str) -> list[str]:
    small = ["epochs=1", "steps=2", "batch_size=8", "latent=8", "generator_width=0.125"]
    command = invert(weights, out, **{"method": "dafl", "set": "", "student": "resnet18"} | changes)
    return [*command, *(f"--set=dafl.settings.{setting}" for setting in small)]


def test_the_student_of_a_joint_method_is_kept_and_not_trained_twice(
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = dafl(weights, tmp_path / "out")
    code, _, err = here(capfd, *command)
    assert code == 0
    path = tmp_path / "out" / "student.safetensors"
    assert f"the student trained jointly with the generator: {path}" in err
    student, description = load_classifier(path)
    assert (description.arch, description.num_classes) == ("resnet18", 4)
    assert int(student.get_buffer("bn1.num_batches_tracked")) == 2
    assert not list((tmp_path / "out").glob("*.pt"))
    monkeypatch.setattr("baselines.dafl.DAFL.step", lambda *given: pytest.fail("trained again"))
    assert here(capfd, *command)[0] == 0
    code, out, err = here(capfd, *dafl(weights, tmp_path / "out", student="mobilenetv2"))
    assert (code, out) == (2, "")
    assert one_line(err) == (
        f"error: --student mobilenetv2: {path} says of itself arch resnet18, not mobilenetv2; "
        "take another folder"
    )
    other = dafl(weights, tmp_path / "out", student_weights=str(weights))
    assert "holds images of another run: the student was " in one_line(here(capfd, *other)[2])


def test_a_training_that_diverged_leaves_the_folder_to_other_settings(
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save = Checkpoint.save

    def diverges(checkpoint: Checkpoint, state: dict[str, Any], **more: Any) -> None:
        save(checkpoint, state, at_once=True)
        assert list((tmp_path / "out").glob("*.pt"))
        raise DivergedError("the loss became nan")

    monkeypatch.setattr(Checkpoint, "save", diverges)
    code, _, err = here(capfd, *dafl(weights, tmp_path / "out"))
    assert (code, one_line(err.splitlines()[-1])) == (1, "error: the loss became nan")
    assert not (tmp_path / "out").exists()


def test_a_student_without_its_images_is_trained_again(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "out" / "student.safetensors"
    kept.parent.mkdir()
    description = Classifier("resnet18", 4, 0.125, 16, CIFAR10_MEAN, CIFAR10_STD)
    save_classifier(kept, description.build(1), description)
    assert here(capfd, *dafl(weights, tmp_path / "out"))[0] == 0
    student, _ = load_classifier(kept)
    assert int(student.get_buffer("bn1.num_batches_tracked")) == 2


def test_a_method_that_competes_takes_no_notice_of_a_joint_student(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    changes = {"method": "adi", "set": "adi.settings.iterations=2", "images": "4"}
    command = invert(weights, out, **changes, student="resnet18")
    code, _, err = here(capfd, *command)
    assert code == 0
    assert err.count("untrained") == err.count("first (on the command line --student-weights)") == 1
    (out / "student.safetensors").write_bytes(b"somebody's")
    assert here(capfd, *command)[0] == 0
    other = invert(weights, out, **changes, student="mobilenetv2")
    code, _, err = here(capfd, *other)
    assert code == 1
    assert "holds images of another run: the student was " in err
