"""The GPU benchmark: it says where there is no GPU, and what runs on a CPU of it runs here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.perf.gpu import Sizes, measure, table

ROOT = Path(__file__).parents[3]


def test_without_a_gpu_it_says_so_and_exits_3(tmp_path: Path) -> None:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.perf.gpu", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr == "bench-gpu needs a CUDA device, and this machine has none\n"
    assert not done.stdout
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    """Everything but the graph and the targets' sizes, on a CPU."""
    sizes = Sizes("resnet18", 0.125, 16, 12, 8, 20, 64, "resnet18", 8, 2)
    said: list[str] = []
    result = measure(sizes, torch.device("cpu"), said.append)
    assert said[0] == "matrix products"
    return result


def test_everything_is_measured_and_every_target_judged(found: dict[str, dict[str, float]]) -> None:
    assert set(found["iteration"]) == {
        "published, fp32",
        "published, tf32",
        "fp32",
        "tf32",
        "bf16",
    }
    shown = table(found)
    assert len(found["targets"]) == 5
    for name, target in found["targets"].items():
        assert name in shown
        assert ("met" if target["met"] else "missed") in shown
    assert not found["targets"]["training, images a second"]["met"]


def test_flops_are_those_of_the_passes(found: dict[str, dict[str, float]]) -> None:
    """Two looks of the teacher and a gradient to the images, the generator forth and back."""
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks.perf.networks import teacher

    of = teacher("resnet18", 0.125, 16)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        of(torch.randn(12, 3, 16, 16))
    look = counter.get_total_flops()
    assert 3 * look < found["flops_per_iteration"] < 8 * look


def test_loops_agree_and_bf16_ends_within_a_few_percent(found: dict[str, dict[str, float]]) -> None:
    in_float32, in_bf16 = found["agreement"].values()
    assert in_float32 < 0.01
    assert in_bf16 == pytest.approx(1, abs=0.05)
