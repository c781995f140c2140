"""``synthesize --classes``."""

import json
from pathlib import Path

import pytest

from naturalinversion.image_store.dataset import SyntheticDataset
from tests.benchmarks.cli.inversion import invert
from tests.benchmarks.command_line import here, one_line

READY = ("synthesize", "--ready", "cifar10-vgg11", "--method", "noise", "--images", "6")


def test_classes_are_chosen_by_name_and_by_number(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = (*READY, "--batch-size", "6", "--out", str(tmp_path), "--json")
    code, out, err = here(capfd, *command, "--classes", "horse", "0", "ship")
    assert code == 0, err
    assert json.loads(out)["images"] == 6
    (labels,) = (labels for _, labels in SyntheticDataset(tmp_path).shards())
    assert sorted(labels.tolist()) == [0, 0, 7, 7, 8, 8]


def test_a_class_that_is_not_there_is_one_line_with_those_that_are(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, _, err = here(capfd, *READY, "--out", str(out), "--classes", "unicorn")
    assert code == 2
    assert "--classes unicorn: not one of 0 to 9, airplane, automobile, " in one_line(err)
    code, _, err = here(capfd, *invert(weights, out), "--classes", "4")
    assert code == 2
    assert one_line(err) == "error: --classes 4: not one of 0 to 3"
    assert not out.exists()
