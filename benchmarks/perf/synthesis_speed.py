"""One iteration of NaturalInversion on a device: the published one, ours, and their agreement."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.perf.networks import method, teacher
from benchmarks.perf.reference import reference_batch
from benchmarks.perf.stopwatch import Stopwatch
from naturalinversion.precision import Precision, numerics
from naturalinversion.synthesis import balanced_labels

BEFORE = 10  # iterations that load kernels, capture the step and are not timed
COMPARED = 20  # iterations over which the two loops are held against each other
LAST = 20  # iterations whose mean loss is where a batch ends


@dataclass(frozen=True)
class Case:
    """A teacher with random weights and one batch of labels."""

    arch: str
    width: float
    image: int
    batch: int
    device: torch.device

    @property
    def labels(self) -> Tensor:
        return balanced_labels(self.batch, 10, 0).to(self.device)

    def method(self, iterations: int, precision: Precision = "fp32", keep: str = "best") -> Any:
        """NaturalInversion, prepared for the teacher, whose batch norms have seen something."""
        of = teacher(self.arch, self.width, self.image, str(self.device), precision=precision)
        of.model.train()
        with torch.no_grad():
            for _ in range(5):
                noise = torch.randn(64, 3, self.image // 4, self.image // 4, device=self.device)
                of.model(torch.nn.functional.interpolate(2 * noise, scale_factor=4))
        of.model.eval()
        return method("ni", of, iterations, keep=keep, generator_width=self.width)


def fast(case: Case, precision: Precision, iterations: int, watch: Stopwatch) -> dict[str, float]:
    """Milliseconds an iteration of our loop, and its peak memory."""
    made = case.method(BEFORE + iterations, precision)
    times: list[float] = []
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps
        if done in (BEFORE, BEFORE + iterations):
            times.append(watch.now())

    watch.begin()
    made.batch(case.labels, 0, progress)
    return {"milliseconds": _ms(times[1] - times[0], iterations), "peak_mb": watch.peak_mb()}


def published(
    case: Case, precision: Precision, iterations: int, watch: Stopwatch
) -> dict[str, float]:
    """The same of the published loop, the best batch rendered again in every early iteration."""

    def seconds(count: int) -> float:
        made = case.method(count)
        started = watch.now()
        with numerics(case.device, precision):
            reference_batch(made, made._teacher, case.labels, 0)
        return watch.now() - started

    watch.begin()
    seconds(3)
    few, many = seconds(3), seconds(3 + iterations)
    return {"milliseconds": _ms(many - few, iterations), "peak_mb": watch.peak_mb()}


def flops(case: Case) -> float:
    """FLOPs of one iteration, counted operation by operation."""

    def counted(iterations: int) -> int:
        made = case.method(iterations)
        with FlopCounterMode(display=False) as counter:
            made.batch(case.labels, 0, lambda steps: None)
        return int(counter.get_total_flops())

    return float(counted(2) - counted(1))


def agreement(case: Case, whole: int) -> dict[str, float]:
    """The largest relative difference of the total loss to the published loop's, in float32; and
    of where a whole batch ends in bf16 to where it ends in float32."""
    ours = case.method(COMPARED).batch(case.labels, 0, lambda steps: None).losses["total"]
    made = case.method(COMPARED)
    with numerics(case.device, "fp32"):
        theirs = reference_batch(made, made._teacher, case.labels, 0).losses["total"]
    ends = []
    for precision in ("fp32", "bf16"):
        batch = case.method(whole, precision).batch(case.labels, 0, lambda steps: None)
        ends.append(float(batch.losses["total"][-LAST:].mean()))
    return {
        f"total loss, largest difference to the published loop in {COMPARED} iterations": float(
            ((ours - theirs).abs() / theirs.abs()).max()
        ),
        f"total loss after {whole} iterations, bf16 over float32": ends[1] / ends[0],
    }


def _ms(seconds: float, iterations: int) -> float:
    return 1e3 * seconds / iterations
