"""A precision that the processor is slow in is said before anything is computed."""

from collections.abc import Iterator

import pytest

from benchmarks.cli import execution_options
from benchmarks.cli.execution_options import ComputeOptions


@pytest.fixture(autouse=True)
def _not_said_yet() -> Iterator[None]:
    execution_options._say_slow.cache_clear()
    yield
    execution_options._say_slow.cache_clear()


@pytest.mark.parametrize("emulated", [True, False])
def test_bf16_without_instructions_for_it_is_said_once(
    emulated: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(execution_options, "is_emulated", lambda *asked: emulated)
    for _ in range(2):
        assert ComputeOptions(device="cpu", precision="bf16").machine().precision == "bf16"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == emulated
    assert all(line.startswith("--precision bf16: this processor has no ") for line in lines)
