"""A long training in `prepare`: interrupted, it goes on from its state in the folder of images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from contract_methods import SMALL
from laws import student
from laws import teacher as small_teacher

from baselines import METHODS
from naturalinversion import Batch, SyntheticDataset, Training, checkpoint, synthesize
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers import build
from naturalinversion.digest import weights_digest
from naturalinversion.errors import DivergedError, StoreError
from naturalinversion.image_store.meta import META
from naturalinversion.image_store.shards import shard_path
from naturalinversion.progress import Progress
from naturalinversion.synthesis.prepare_state import STATE

BATCHES, SIZE = 2, 8
TRAINED: dict[str, dict[str, Any]] = {
    "dafl": {**SMALL["dafl"], "epochs": 3},
    "dfad": {**SMALL["dfad"], "epochs": 3},
    "ni": {**SMALL["ni"], "one_to_one": False, "shared_batch": SIZE},
}
pytestmark = pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")


class Saves:
    """Every state is written. The training ends in ``error`` after the write number ``stop``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count, self.stop = 0, 0
        self.error: type[BaseException] = KeyboardInterrupt
        patch.setattr(checkpoint, "EVERY", 0.0)
        save = Checkpoint.save

        def counted(checkpoint: Checkpoint, state: dict[str, Any], **more: Any) -> None:
            save(checkpoint, state, **more)
            self.count += 1
            if self.count == self.stop:
                raise self.error

        patch.setattr(Checkpoint, "save", counted)


@pytest.fixture
def saves(monkeypatch: pytest.MonkeyPatch) -> Saves:
    return Saves(monkeypatch)


@pytest.fixture
def fill() -> Callable[..., str]:
    def fill(name: str, folder: Path, changes: dict[str, Any] | None = None, **more: Any) -> str:
        """Two batches; the digest of their student."""
        method = METHODS[name](**TRAINED[name] | (changes or {}))
        trained = more.pop("student", None) or student()
        numbers = {"batches": BATCHES, "batch_size": SIZE}
        synthesize(method, small_teacher(), folder, student=trained, **numbers, **more)
        return weights_digest(trained)

    return fill


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", TRAINED)
def test_interrupted_and_run_again_it_ends_with_the_same_bytes(
    name: str, fill: Callable[..., str], saves: Saves, tmp_path: Path
) -> None:
    whole = fill(name, tmp_path / "whole")
    states, saves.count, saves.stop = saves.count, 0, 1
    with pytest.raises(KeyboardInterrupt):
        fill(name, tmp_path / "cut")
    assert (tmp_path / "cut" / STATE).is_file()
    assert fill(name, tmp_path / "cut") == whole
    assert saves.count == states, "no epoch was trained twice"
    assert content(tmp_path / "cut") == content(tmp_path / "whole"), "the state is removed as well"
    assert len(SyntheticDataset(tmp_path / "cut")) == BATCHES * SIZE


@pytest.mark.parametrize("name", TRAINED)
def test_interrupted_between_batches_nothing_is_trained_again(
    name: str, fill: Callable[..., str], saves: Saves, tmp_path: Path
) -> None:
    def stop(index: int, batch: Batch) -> None:
        if index == 1:
            raise KeyboardInterrupt

    whole = fill(name, tmp_path / "whole")
    saves.count = 0
    with pytest.raises(KeyboardInterrupt):
        fill(name, tmp_path / "cut", on_batch=stop)
    states = saves.count
    assert fill(name, tmp_path / "cut") == whole
    assert saves.count == states > 0
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


@pytest.mark.parametrize("name", TRAINED)
def test_the_bar_of_a_training_that_goes_on_arrives(
    name: str, fill: Callable[..., str], saves: Saves, tmp_path: Path
) -> None:
    asked: list[int] = []
    done: list[int] = []

    @contextmanager
    def bar(steps: int) -> Iterator[Progress]:
        asked.append(steps)
        yield done.append

    saves.stop = 1
    with pytest.raises(KeyboardInterrupt):
        fill(name, tmp_path)
    fill(name, tmp_path, progress=bar)
    assert asked == [sum(done)]
    assert done[0] > 1


def test_another_run_does_not_start_from_it(
    fill: Callable[..., str], saves: Saves, tmp_path: Path
) -> None:
    """The folder refuses it; without its meta.json nothing is known of the state."""
    saves.stop = 1
    with pytest.raises(KeyboardInterrupt):
        fill("dfad", tmp_path / "cut")
    other = {"rate_student": 0.05}
    for change in ({"changes": other}, {"student": build("vgg11", 4, 0.125)}, {"seed": 1}):
        with pytest.raises(StoreError, match="holds images of another run"):
            fill("dfad", tmp_path / "cut", **change)
    (tmp_path / "cut" / META).unlink()
    found = fill("dfad", tmp_path / "cut", changes=other)
    assert found == fill("dfad", tmp_path / "whole", changes=other)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_a_training_that_diverges_leaves_no_folder(
    fill: Callable[..., str], saves: Saves, tmp_path: Path
) -> None:
    """So that other settings may have it."""
    saves.stop, saves.error = 2, DivergedError
    with pytest.raises(DivergedError):
        fill("dfad", tmp_path / "images")
    assert saves.count == 2
    assert not (tmp_path / "images").exists()


def test_a_caller_who_keeps_the_state_finds_none_in_the_folder(
    fill: Callable[..., str], tmp_path: Path
) -> None:
    kept: list[dict[str, Any]] = []
    (tmp_path / STATE).write_bytes(b"mine")
    fill("dfad", tmp_path, training=Training(save=kept.append))
    assert len(kept) == 3
    assert (tmp_path / STATE).read_bytes() == b"mine"
    assert shard_path(tmp_path, 1).is_file()
