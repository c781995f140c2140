"""Several processes on one device: their rates add up, and a failed one is named."""

import multiprocessing
import re

import kill
import pytest
import torch

from benchmarks.perf.side_by_side import main, together


@pytest.fixture
def _from_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that needn't import torch again."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda how: kill.CONTEXT)


@pytest.mark.usefixtures("_from_a_server")
def test_a_line_says_what_so_many_processes_make_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main("di", (2,), "cpu", iterations=2, batch=10) == 0
    line = capsys.readouterr().out
    found = re.fullmatch(
        r"  2 processes: +([\d.]+) iterations a second, the slowest ([\d.]+)\n", line
    )
    assert found, line
    all_together, slowest = float(found[1]), float(found[2])
    assert 0 < 2 * slowest <= all_together + 0.1  # as rounded


@pytest.mark.usefixtures("_from_a_server")
def test_a_process_that_fails_ends_the_others() -> None:
    with pytest.raises(ChildProcessError, match="one ended with exit code 1"):
        together("none", 2, "cpu", 2, 10)


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main() == 3
    assert "needs a CUDA device" in capsys.readouterr().err


def test_no_processes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(counts=(0,), device="cpu") == 2
    assert capsys.readouterr().err == "--counts: 1 or more processes\n"
