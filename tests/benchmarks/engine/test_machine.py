"""How a process computes, and what its records say of it."""

import pytest
import torch

from benchmarks.cli.options import How
from benchmarks.engine.context import Machine
from benchmarks.engine.provenance import Meter
from benchmarks.engine.torch_setup import set_up_torch
from tests.benchmarks.command_line import here


@pytest.mark.parametrize("fast", [False, True])
def test_fast_lets_libraries_time_their_algorithms_and_records_say_so(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = How(device="cpu", fast=fast).machine()
    assert set_up_torch(machine) == torch.device("cpu")
    assert torch.backends.cudnn.benchmark is fast
    assert torch.are_deterministic_algorithms_enabled()
    assert Meter(machine).provenance(machine).deterministic, "nothing is chosen so on a CPU"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert How(device="cuda", fast=fast).machine().is_deterministic() is not fast


def test_without_being_asked_nothing_is_fast() -> None:
    assert not Machine().fast
    assert not How(device="cpu").machine().fast


@pytest.mark.parametrize("command", ["run", "compare", "synthesize"])
def test_commands_take_it(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = here(capfd, command, "--help")
    assert code == 0
    assert "--fast" in out
