"""``synthesize`` stops in time, and where memory is short."""

import signal
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from naturalinversion.image_store.shards import write_shard
from naturalinversion.progress import Progress, silent
from naturalinversion.synthesis import sequence
from tests.benchmarks.cli.inversion import invert
from tests.benchmarks.command_line import here, one_line


def test_synthesize_stops_in_time_and_goes_on(
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def then_time_is_up(*given: Any) -> None:
        write_shard(*given)
        signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(sequence, "write_shard", then_time_is_up)
    code, out, err = here(capfd, *invert(weights, tmp_path / "out", images="40000", max_hours="1"))
    monkeypatch.undo()
    assert (code, out) == (75, "")
    assert err.splitlines()[-1].startswith("--max-hours are over: what was finished is kept")
    kept = list((tmp_path / "out").glob("*.safetensors"))
    assert kept
    before = [path.stat().st_mtime_ns for path in kept]
    assert here(capfd, *invert(weights, tmp_path / "out"))[0] == 0
    assert [path.stat().st_mtime_ns for path in kept] == before


def test_a_bar_has_the_iterations_that_are_missing(
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []

    def draw(steps: int, title: str) -> AbstractContextManager[Progress]:
        drawn.append(steps)
        return nullcontext(silent)

    monkeypatch.setattr("benchmarks.cli.synthesize.bar_or_estimate", draw)
    for images in ("4", "12"):
        assert here(capfd, *invert(weights, tmp_path / "out", images=images))[0] == 0
    assert drawn == [2, 4], "of one batch, then of two more"


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")]
)
@pytest.mark.parametrize("command", ["synthesize", "pictures"])
def test_a_device_that_is_too_small_is_one_line(
    command: str,
    error: Exception,
    weights: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*given: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(f"benchmarks.cli.{command}.synthesize", fails)
    words = {
        "synthesize": invert(weights, tmp_path / "out"),
        "pictures": ["pictures", "--out", str(tmp_path / "out"), "--device", "cpu"],
    }
    option = {"synthesize": "--batch-size", "pictures": "--images"}[command]
    code, out, err = here(capfd, *words[command])
    assert (code, out) == (1, "")
    assert one_line(err) == f"error: out of memory: take fewer images a batch ({option})"


def test_a_batch_beyond_all_memory_is_one_line(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = here(capfd, *invert(weights, tmp_path / "out", batch_size=str(10**17)))
    assert code == 1
    assert one_line(err) == "error: out of memory: take fewer images a batch (--batch-size)"
    assert not (tmp_path / "out").exists()
