"""CMI and Fast-DFKD: two batches, each with steps of the student after it, against the CPU.

The second batch stands on what the first one left: bank, student, memory or learned generator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from baselines import METHODS
from benchmarks.perf.gpu_check.cases import CPU, Sizes, network_on, teacher
from benchmarks.perf.gpu_check.check import Check, Measured, differing, relative
from naturalinversion import Training
from naturalinversion.precision import Precision
from naturalinversion.synthesis import balanced_labels

NAMES = {"CMI": "cmi", "Fast-DFKD": "fast"}
BATCHES, STEPS = 2, 3  # of the images and of the student, after each batch
RATE = 0.001  # large steps of small batches multiply every rounding
FIRST, LATER, BF16 = 1e-4, 0.05, 0.1


def checks(device: torch.device, sizes: Sizes) -> Iterator[Check]:
    """Of each method."""
    for about, name in NAMES.items():
        runs = Sequential(name, sizes, device)
        yield Check(f"{about}: steps", partial(_steps, runs))
        yield Check(f"{about}: bf16", partial(_bf16, runs))
        yield Check(f"{about}: again", partial(_again, runs))


@dataclass(frozen=True)
class Sequential:
    """A method whose batches follow from one another."""

    name: str
    sizes: Sizes
    device: torch.device

    def run(
        self,
        device: torch.device,
        precision: Precision = "fp32",
        dtype: torch.dtype = torch.float32,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Losses of each batch by step (S,), and what there is in the end: weights and images."""
        sizes = self.sizes
        method: Any = METHODS[self.name](
            **{"epochs": BATCHES, "inner_steps": STEPS, "student_steps": STEPS, "latent": 32},
            **{"student_batch": sizes.batch, "generator_width": sizes.width, "warmup": 0},
            **{"rate_student": RATE, "adversarial": 1.0, "rate_generator": 1e-4},
        )
        student = network_on("resnet18", sizes, device, dtype, 1)
        of = teacher("resnet18", sizes, device, precision, dtype)
        method.prepare(of, student, 0, Training())
        labels = balanced_labels(sizes.batch, of.num_classes, 0).to(device)
        made = [method.batch(labels, seed, lambda steps: None) for seed in range(BATCHES)]
        ends = {f"images{n}": batch.images for n, batch in enumerate(made)}
        return [dict(batch.losses) for batch in made], ends | student.state_dict()


def _steps(runs: Sequential) -> Sequence[Measured]:
    found, _ = runs.run(runs.device)
    expected, _ = runs.run(CPU, dtype=torch.float64)
    first, later = _differences(found, expected)
    return Measured("first to float64 on the CPU", first, FIRST), Measured("later", later, LATER)


def _bf16(runs: Sequential) -> Sequence[Measured]:
    found, _ = runs.run(runs.device, "bf16")
    expected, _ = runs.run(CPU)
    first, _ = _differences(found, expected)
    return [Measured("first to the CPU", first, BF16)]


def _again(runs: Sequential) -> Sequence[Measured]:
    _, one = runs.run(runs.device, "bf16")
    _, other = runs.run(runs.device, "bf16")
    return [Measured("bytes that differ", sum(differing(one[n], other[n]) for n in one), 0)]


def _differences(
    found: list[dict[str, Tensor]], expected: list[dict[str, Tensor]]
) -> tuple[float, float]:
    """The largest relative difference of a term in the very first step, and in any step."""
    if [one.keys() for one in found] != [one.keys() for one in expected]:
        raise ValueError(f"terms {found}, expected {expected}")
    each = [
        [relative(a, b) for a, b in zip(ours[name], theirs[name], strict=True)]
        for ours, theirs in zip(found, expected, strict=True)
        for name in theirs
    ]
    return max(term[0] for term in each[: len(found[0])]), max(max(term) for term in each)
