"""What tests of the commands share."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from naturalinversion.classifiers.weights import Classifier
from tests.benchmarks.cli.accepted_place import SEEDS, Place, write_records
from tests.benchmarks.cli.inversion import seen


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, list[str]]]:
    """Run a command in a place: exit code, stdout, the lines of stderr."""

    def answer(place: Any, command: str, *more: str) -> tuple[int, str, list[str]]:
        capfd.readouterr()
        code = place.run(command, *more)
        captured = capfd.readouterr()
        return code, captured.out, captured.err.splitlines()

    return answer


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Nothing was run."""
    return Place(tmp_path)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with accepted numbers of a few seeds."""
    found = Place(tmp_path_factory.mktemp("numbers"))
    write_records(found.runs, range(SEEDS))
    assert found.run("accept", "--seeds", str(SEEDS)) == 0
    return found.runs.parent


@pytest.fixture
def accepted(place: Place, numbers: Path) -> Place:
    """A place with accepted numbers."""
    shutil.copytree(numbers, place.runs.parent, dirs_exist_ok=True)
    return place


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18, an eighth of the width, 4 classes, with running statistics."""
    path = tmp_path_factory.mktemp("weights") / "mine.pt"
    model = seen(Classifier("resnet18", 4, 0.125, 16, (0.5,) * 3, (0.5,) * 3).build(0))
    torch.save({"state_dict": model.state_dict()}, path)
    return path
