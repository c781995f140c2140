"""Memory: a cell's own peak in its record, and no more of it for more images."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

CPU = torch.device("cpu")

SYNTHESIS = """
import sys, torch
from baselines import METHODS
from benchmarks.engine.memory import forget_peak, peak_memory
from naturalinversion import Teacher, synthesize
from torch import nn
torch.set_num_threads(1)
start = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]
end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)]
teacher = Teacher(nn.Sequential(*start, *end), num_classes=10)
method = METHODS["di"](iterations=1)
run = lambda name, batches: synthesize(method, teacher, name, batches=batches, batch_size=128)
run("first", 5)
peaks = []
for name, batches in (("few", 5), ("many", 40)):
    forget_peak(teacher.device)
    run(name, batches)
    peaks.append(peak_memory(teacher.device))
print(peaks[1] - peaks[0])
"""

READING = """
import torch
from pathlib import Path
from benchmarks.engine.memory import forget_peak, peak_memory
from naturalinversion.images import SyntheticDataset, joined
sets = [SyntheticDataset(Path("many"))] * 4
images, _ = joined(sets, count=128)
cpu = torch.device("cpu")
forget_peak(cpu)
before = peak_memory(cpu)
images, labels = joined(sets)
pixels, _ = joined(sets, "minmax")
print(peak_memory(cpu) - before, (images.nbytes + labels.nbytes + pixels.nbytes) / 1e6)
"""


PEAK = """
import torch
from benchmarks.engine.memory import forget_peak, peak_memory

cpu = torch.device("cpu")
forget_peak(cpu)
before = peak_memory(cpu)
held = torch.ones(25_000_000)
peak = peak_memory(cpu)
del held
forget_peak(cpu)
print(before, peak, peak_memory(cpu))
"""


def child(code: str, folder: Path) -> list[float]:
    """The numbers that a process of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def test_a_peak_is_forgotten_and_measured(tmp_path: Path) -> None:
    """In a process of its own: here, what another test left may be freed meanwhile."""
    before, peak, after = child(PEAK, tmp_path)
    assert peak - before == pytest.approx(100, abs=15)
    assert after < before + 50


def test_many_images_take_no_more_memory_than_few(tmp_path: Path) -> None:
    """40 batches are 31 MB in the store; read again, four sets of them are held once."""
    (grown,) = child(SYNTHESIS, tmp_path)
    assert grown < 10
    grown, size = child(READING, tmp_path)
    assert size > 180
    assert grown < 1.2 * size
