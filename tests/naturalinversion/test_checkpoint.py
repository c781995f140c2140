"""Checkpoints: whole or not used, and not written more often than asked for."""

import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from naturalinversion.checkpoint import Checkpoint

STATE = {"weights": {"a": torch.arange(5.0)}, "losses": [0.5, 0.25], "run": "x"}


def test_what_was_saved_is_restored_and_deleted(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.pt", every=0)
    assert checkpoint.restore() is None
    checkpoint.save(STATE)
    found = Checkpoint(tmp_path / "state.pt").restore()
    assert found is not None
    assert torch.equal(found["weights"]["a"], STATE["weights"]["a"])
    assert (found["losses"], found["run"]) == ([0.5, 0.25], "x")
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]
    checkpoint.delete()
    checkpoint.delete()
    assert not list(tmp_path.iterdir())


def test_a_moment_after_the_last_write_there_is_none_unless_at_once(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.pt", every=3600)
    checkpoint.save(STATE)
    assert checkpoint.restore() is None
    checkpoint.save(STATE, at_once=True)
    checkpoint.save({"run": "y"})
    found = checkpoint.restore()
    assert found is not None
    assert found["run"] == "x"


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_named_and_counts_as_none(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.pt"
    Checkpoint(path).save(STATE, at_once=True)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "truncated": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :],
            "empty": b"",
            "foreign": b"something else altogether, long enough for a checksum",
        }[damage]
    )
    with caplog.at_level(logging.WARNING):
        assert Checkpoint(path).restore() is None
    assert f"{path} is damaged" in caplog.text


class Settings:
    """Not what a state may hold."""


def test_a_state_that_can_not_be_read_back_counts_as_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = Checkpoint(tmp_path / "state.pt")
    checkpoint.save({"settings": Settings()}, at_once=True)
    with caplog.at_level(logging.WARNING):
        assert checkpoint.restore() is None
    assert "state.pt holds more than tensors and plain values" in caplog.text


def test_a_large_state_is_in_memory_once_beside_its_tensors(tmp_path: Path) -> None:
    """PyTorch's own memory is not counted."""
    checkpoint = Checkpoint(tmp_path / "state.pt")
    state = {"weights": torch.zeros(2**22)}

    def peak(what: Callable[[], object]) -> float:
        tracemalloc.start()
        what()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most / state["weights"].nbytes

    assert peak(lambda: checkpoint.save(state, at_once=True)) < 1.6
    assert peak(checkpoint.restore) < 1.6
