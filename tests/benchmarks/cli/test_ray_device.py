"""What a Ray cluster computes on, where the command is given on a machine without a GPU."""

from collections.abc import Iterator

import pytest
import torch

from benchmarks.cli import execution_options
from benchmarks.cli.execution_options import RunOptions


@pytest.fixture(autouse=True)
def _not_said_yet() -> Iterator[None]:
    execution_options._say_no_gpu.cache_clear()
    yield
    execution_options._say_no_gpu.cache_clear()


def said(asked: RunOptions, capsys: pytest.CaptureFixture[str]) -> list[str]:
    for _ in range(2):
        asked.machine()
    return capsys.readouterr().err.splitlines()


def test_a_cluster_asked_from_a_machine_without_a_gpu_says_once_that_it_takes_cpus(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (line,) = said(RunOptions(engine="ray"), capsys)
    assert line.startswith("--engine ray: cells are computed on CPUs, as this machine has no GPU")
    assert "--device cuda" in line


@pytest.mark.parametrize(
    ("asked", "has_gpu"),
    [
        (RunOptions(engine="ray", device="cpu"), False),
        (RunOptions(engine="ray", device="cuda"), False),
        (RunOptions(engine="ray"), True),
        (RunOptions(), False),
    ],
)
def test_nothing_is_said_of_a_device_that_was_asked_for_or_is_here(
    asked: RunOptions,
    has_gpu: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert said(asked, capsys) == []
