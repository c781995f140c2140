"""A check computes in a folder of its own for every state of what computes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.cli.check import RUNS, Check
from benchmarks.cli.execution_options import RunOptions


def test_cells_of_other_code_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a check has a folder for every state of the code, and seeds of its own."""
    found = []
    for source in (b"one", b"other", b"one"):
        monkeypatch.setattr(Path, "read_bytes", lambda path, source=source: source)
        found.append(Check()._of_this_state().runs_dir)
    assert found[0] == found[2] != found[1]
    asked = Check()
    assert asked.paths.runs_dir == RUNS == found[2].parent


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("benchmarks.engine.digests.version", lambda library: f"9.9 of {library}"),
        ("benchmarks.engine.processor.processor_name", lambda: "another CPU"),
        ("torch.backends.cpu.get_cpu_capability", lambda: "AVX9"),
    ],
)
def test_cells_of_other_libraries_and_processors_are_not_found(
    what: str, other: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Check()._of_this_state().runs_dir
    monkeypatch.setattr(what, other)
    assert Check()._of_this_state().runs_dir != before


def test_cells_of_another_precision_are_not_found() -> None:
    fp32, bf16 = (
        Check(execution=RunOptions(device="cpu", precision=precision))._of_this_state().runs_dir
        for precision in ("fp32", "bf16")
    )
    assert fp32 != bf16
