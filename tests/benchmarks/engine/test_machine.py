"""How a process computes, what its records say of it, and the peak memory of a cell."""

import subprocess
import sys

import pytest
import torch

from benchmarks.cli.execution_options import RunOptions
from benchmarks.engine.machine import Machine, set_up_torch
from benchmarks.engine.provenance import provenance_here
from tests.benchmarks.command_line import here

MEASURED = """
import torch
from pathlib import Path
from baselines.noise import Noise
from benchmarks.engine.machine import peak_memory, reset_peak_memory
from naturalinversion import Teacher, synthesize
from naturalinversion.image_store.dataset import SyntheticDataset, joined
from torch import nn
torch.set_num_threads(1)
cpu = torch.device("cpu")

reset_peak_memory(cpu)
before = peak_memory(cpu)
held = torch.ones(25_000_000)
print(peak_memory(cpu) - before)
del held
reset_peak_memory(cpu)
print(peak_memory(cpu) - before)

start = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]
end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)]
teacher = Teacher(nn.Sequential(*start, *end), num_classes=10)
method = Noise()
run = lambda name, batches: synthesize(method, teacher, name, batches=batches, batch_size=128)
run("first", 2)
peaks = []
for name, batches in (("few", 2), ("many", 24)):
    reset_peak_memory(cpu)
    run(name, batches)
    peaks.append(peak_memory(cpu))
print(peaks[1] - peaks[0])

sets = [SyntheticDataset(Path("many"))] * 4
images, _ = joined(sets, count=128)
reset_peak_memory(cpu)
before = peak_memory(cpu)
images, labels = joined(sets)
pixels, _ = joined(sets, "minmax")
print(peak_memory(cpu) - before, (images.nbytes + labels.nbytes + pixels.nbytes) / 1e6)
"""


@pytest.mark.parametrize("fast", [False, True])
def test_fast_lets_libraries_time_their_algorithms_and_records_say_so(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = RunOptions(device="cpu", fast=fast).machine()
    assert set_up_torch(machine) == torch.device("cpu")
    assert torch.backends.cudnn.benchmark is fast
    assert torch.are_deterministic_algorithms_enabled()
    assert provenance_here(machine).deterministic, "nothing is chosen so on a CPU"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert RunOptions(device="cuda", fast=fast).machine().is_deterministic() is not fast


def test_without_being_asked_nothing_is_fast() -> None:
    assert not Machine().fast
    assert not RunOptions(device="cpu").machine().fast


@pytest.mark.parametrize("command", ["run", "compare", "synthesize"])
def test_commands_take_it(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = here(capfd, command, "--help")
    assert code == 0
    assert "--fast" in out


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """In a process of its own: here, what another test left may be freed meanwhile."""
    command, folder = [sys.executable, "-c", MEASURED], tmp_path_factory.mktemp("memory")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def test_peak_memory_is_measured_and_can_be_reset(measured: list[float]) -> None:
    held, freed = measured[:2]
    assert held == pytest.approx(100, abs=15)
    assert freed < 50


def test_many_images_take_no_more_memory_than_few(measured: list[float]) -> None:
    """24 batches are 19 MB in the store; read again, four sets of them are held once."""
    more, grown, size = measured[2:]
    assert more < 10
    assert size > 108
    assert grown < 1.2 * size
