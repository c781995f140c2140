"""Sequential methods: order, state beside the shards, retries, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contract_methods import SequentialFromOutside
from torch import Tensor

from naturalinversion import Batch, Teacher, checkpoint, synthesize
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.errors import (
    DivergedError,
    MemoryShortError,
    MethodError,
    NaturalInversionWarning,
    SettingError,
)
from naturalinversion.image_store.shards import retried, shard_path
from naturalinversion.memory import require_memory
from naturalinversion.progress import Progress
from naturalinversion.synthesis import run
from naturalinversion.synthesis.sequence import STATE, EarlierBatches, forget_state

MakeTeacher = Callable[..., Teacher]
BATCHES, SIZE = 4, 4


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is written after every batch, as where a batch takes longer than the interval."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)


class Counts(SequentialFromOutside):
    """Says which batches it makes; `failing` calls diverge when they have changed the state."""

    fails: tuple[int, ...] = ()
    number = 0

    def __init__(self) -> None:
        super().__init__()
        self.made: list[int] = []

    @classmethod
    def failing(cls, *calls: int) -> "Counts":
        made = cls()
        made.fails = calls
        return made

    def follow(self, earlier: EarlierBatches) -> None:
        super().follow(earlier)
        self.number = len(earlier)

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        self.made.append(self.number)
        made = super().batch(labels, seed, progress)
        if len(self.made) in self.fails:
            raise DivergedError("the loss became nan")
        return made


class TooLarge(Counts):
    """Needs more memory than there is."""

    bytes_per_image = 10**15

    def begin(self, teacher: Teacher, batches: int, batch_size: int) -> None:
        size = batches * batch_size * self.bytes_per_image
        require_memory(size, "a bank of all images", teacher.device)


def fill(teacher: Teacher, folder: Path, method: Any, batches: int = BATCHES, **more: Any) -> Any:
    synthesize(method, teacher, folder, batches=batches, batch_size=SIZE, **more)
    return method


def content(folder: Path) -> list[bytes]:
    return [shard_path(folder, index).read_bytes() for index in range(BATCHES)]


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("true", [True, 1, np.bool_(True)])
def test_a_stopped_run_goes_on_after_its_last_batch(
    true: Any, make_teacher: MakeTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counts, "sequential", true)
    teacher = make_teacher()
    fill(teacher, tmp_path / "whole", Counts())
    with pytest.raises(DivergedError, match=r"^batch 2: "):
        fill(teacher, tmp_path / "cut", Counts.failing(3, 4, 5))
    assert fill(teacher, tmp_path / "cut", Counts()).made == [2, 3]
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert fill(teacher, tmp_path / "cut", Counts()).made == []


@pytest.mark.usefixtures("_often")
def test_a_stopped_run_goes_on_with_another_version_and_says_so(
    make_teacher: MakeTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(run, "library_version", lambda: "0.0.9")
        with pytest.raises(DivergedError, match=r"^batch 2: "):
            fill(make_teacher(), tmp_path, Counts.failing(3, 4, 5))
    with pytest.warns(NaturalInversionWarning, match=r"its batches are of version 0\.0\.9, "):
        assert fill(make_teacher(), tmp_path, Counts()).made == [2, 3]


def test_quick_batches_write_the_state_at_intervals_and_after_the_last(
    make_teacher: MakeTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped with a state older than the shards, a run makes those after it again."""
    teacher = make_teacher()
    fill(teacher, tmp_path / "whole", Counts())
    saved = Checkpoint(tmp_path / "whole" / STATE).restore()
    assert saved is not None
    assert saved["batches"] == BATCHES
    monkeypatch.setattr("time.monotonic", lambda: seconds)
    cut, seconds = tmp_path / "cut", 0.0

    def stop(index: int, batch: Batch) -> None:
        nonlocal seconds
        seconds += 20.0  # the second of the batches ends after 40
        if index == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(teacher, cut, Counts(), on_batch=stop)
    saved = Checkpoint(cut / STATE).restore()
    assert saved is not None
    assert saved["batches"] == 2
    written = shard_path(cut, 2).stat().st_mtime_ns
    method = fill(teacher, cut, Counts())
    assert method.made == [2, 3]
    assert shard_path(cut, 2).stat().st_mtime_ns == written, "it came out as it was"
    assert content(cut) == content(tmp_path / "whole")
    assert fill(teacher, cut, Counts()).made == []


def test_a_retry_starts_from_the_state_before_the_batch(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    method = fill(teacher, tmp_path / "retried", Counts.failing(2))
    assert method.made == [0, 1, 1, 2, 3]
    assert retried(tmp_path / "retried", range(BATCHES)) == [1]
    drift = fill(teacher, tmp_path / "again", Counts.failing(2)).drift
    assert torch.equal(method.drift, drift)
    fill(teacher, tmp_path / "whole", Counts())
    assert content(tmp_path / "retried")[0] == content(tmp_path / "whole")[0]
    assert content(tmp_path / "retried") == content(tmp_path / "again")


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("lost", ["state", "damaged state", "shard"])
def test_what_was_lost_is_made_again_from_the_start(
    lost: str, make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    teacher = make_teacher()
    fill(teacher, tmp_path / "whole", Counts())
    with pytest.raises(DivergedError):
        fill(teacher, tmp_path / "cut", Counts.failing(4, 5, 6))
    state = tmp_path / "cut" / STATE
    if lost == "state":
        forget_state(tmp_path / "cut")
        forget_state(tmp_path / "cut")  # there is none left: no error
    elif lost == "shard":
        shard_path(tmp_path / "cut", 1).unlink()
    else:
        state.write_bytes(state.read_bytes()[:-3])
    assert fill(teacher, tmp_path / "cut", Counts()).made == [0, 1, 2, 3]
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_the_state_of_another_run_is_named_and_not_gone_on_from(
    make_teacher: MakeTeacher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays, as a hidden file, where a user empties the folder by its visible ones."""
    teacher = make_teacher()
    fill(teacher, tmp_path / "whole", Counts())
    fill(teacher, tmp_path / "cut", Counts(), 2, seed=1)
    for path in (tmp_path / "cut").glob("[!.]*"):
        path.unlink()
    with pytest.raises(DivergedError):
        fill(teacher, tmp_path / "cut", Counts.failing(3, 4, 5))
    assert fill(teacher, tmp_path / "cut", Counts()).made == [0, 1, 2, 3]
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert caplog.text.count(f"{STATE} is not of this run") == 2


def test_a_shard_that_comes_out_otherwise_is_replaced(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    """All shards of a folder belong to one run, even where a machine computes other bits."""
    teacher = make_teacher()
    fill(teacher, tmp_path / "whole", Counts())
    fill(teacher, tmp_path / "other", Counts(), seed=1)
    fill(teacher, tmp_path / "cut", Counts())
    shard_path(tmp_path / "cut", 0).write_bytes(content(tmp_path / "other")[0])
    shard_path(tmp_path / "cut", 3).unlink()
    forget_state(tmp_path / "cut")
    fill(teacher, tmp_path / "cut", Counts())
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_a_part_of_the_batches_is_refused(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^first batch 2: Counts makes its batches in order"):
        fill(make_teacher(), tmp_path / "x", Counts(), first=2)
    assert not (tmp_path / "x").exists()


def test_a_method_may_refuse_a_run_before_it_starts(
    make_teacher: MakeTeacher, tmp_path: Path
) -> None:
    with pytest.raises(MemoryShortError, match=r"^a bank of all images would take 16,000,000"):
        fill(make_teacher(), tmp_path / "x", TooLarge())
    assert not (tmp_path / "x").exists()
    require_memory(1000, "a bank", torch.device("cpu"))


def test_nothing_is_refused_where_all_batches_exist(
    make_teacher: MakeTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made on a larger machine, or with more memory free."""
    with monkeypatch.context() as patch:
        patch.setattr(TooLarge, "bytes_per_image", 1)
        fill(make_teacher(), tmp_path, TooLarge())
    assert fill(make_teacher(), tmp_path, TooLarge()).made == []
    with pytest.raises(MemoryShortError, match=r"^a bank of all images would take "):
        fill(make_teacher(), tmp_path, TooLarge(), batches=BATCHES + 1)


def test_a_state_that_is_no_tensor_is_one_line(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    class KeepsNumber(Counts):
        def state_dict(self) -> dict[str, Tensor]:
            return {**super().state_dict(), "number": 3}  # type: ignore[dict-item]

    with pytest.raises(MethodError, match=r"^state_dict\(\): number is 3, not a tensor$"):
        fill(make_teacher(), tmp_path / "x", KeepsNumber())


def test_earlier_batches_are_read_like_a_list(make_teacher: MakeTeacher, tmp_path: Path) -> None:
    fill(make_teacher(), tmp_path, Counts())
    earlier = EarlierBatches(tmp_path, 3)
    assert len(earlier) == len(list(earlier)) == 3
    assert torch.equal(earlier[-1][0], earlier[2][0])
    assert [labels.tolist() for _, labels in earlier[1:]] == [
        labels.tolist() for _, labels in (earlier[1], earlier[2])
    ]
    with pytest.raises(IndexError):
        earlier[3]
