"""One iteration on a device: the published one, ours, and their agreement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.perf.networks import method, teacher
from benchmarks.perf.reference import reference_batch
from benchmarks.perf.stopwatch import Stopwatch
from naturalinversion.inversion.cuda_graph import eager
from naturalinversion.precision import Precision, compute_in
from naturalinversion.synthesis import balanced_labels

BEFORE = 10  # iterations that load kernels, capture the step and are not timed
COMPARED = 20  # iterations over which the two loops are held against each other
PublishedPrecision = Literal["fp32", "default"]
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

    def method(
        self, name: str, iterations: int, precision: Precision = "fp32", **settings: Any
    ) -> Any:
        """The method, prepared for the teacher, whose batch norms have seen something."""
        of = teacher(self.arch, self.width, self.image, str(self.device), precision=precision)
        of.model.train()
        with torch.no_grad():
            for _ in range(5):
                noise = torch.randn(64, 3, self.image // 4, self.image // 4, device=self.device)
                of.model(torch.nn.functional.interpolate(2 * noise, scale_factor=4))
        of.model.eval()
        if name.startswith("ni"):
            settings = {"generator_width": self.width, **settings}
        return method(name, of, iterations, **settings)


class _Batch:
    """Seconds of one batch: an iteration's, and those besides its iterations."""

    def __init__(self, made: Any, labels: Tensor, seed: int, watch: Stopwatch) -> None:
        self.made, self.watch = made, watch
        self.done = 0
        self.marks: list[tuple[int, float]] = []  # iterations done, and when
        started = watch.now()
        made.batch(labels, seed, self._progress)
        whole = watch.now() - started
        (first, started), (last, ended) = self.marks
        self.iteration = (ended - started) / (last - first)
        self.besides = whole - last * self.iteration

    def _progress(self, steps: int) -> None:
        self.done += steps
        if (not self.marks and self.done >= BEFORE) or self.done >= self.made.iterations:
            self.marks.append((self.done, self.watch.now()))


def fast(
    case: Case, name: str, precision: Precision, iterations: int, watch: Stopwatch
) -> dict[str, float]:
    """Milliseconds an iteration of our loop, and its peak memory."""
    made = case.method(name, BEFORE + iterations, precision)
    watch.begin()
    batch = _Batch(made, case.labels, 0, watch)
    return {"milliseconds": 1e3 * batch.iteration, "peak_mb": watch.peak_mb()}


def new_batch(
    case: Case,
    name: str,
    precision: Precision,
    iterations: int,
    watch: Stopwatch,
    between: Callable[[], object] = lambda: None,
) -> tuple[dict[str, float], dict[str, float]]:
    """The same over so many iterations, and what a batch takes besides them.

    The first of a process chooses kernels and captures the step; every other one is as the second.
    ``between`` is called between the two.
    """
    made = case.method(name, BEFORE + iterations, precision)
    watch.begin()
    first = _Batch(made, case.labels, 0, watch)
    between()
    second = _Batch(made, case.labels, 1, watch)
    step = {"milliseconds": 1e3 * second.iteration, "peak_mb": watch.peak_mb()}
    besides = {
        "seconds besides iterations, the first": first.besides,
        "seconds besides iterations, the second": second.besides,
        "share of 1,000 iterations": second.besides / (1000 * second.iteration),
    }
    return step, besides


@contextmanager
def published_numerics(precision: PublishedPrecision) -> Iterator[None]:
    """As the published codes are run: PyTorch's defaults, kernels that need not be deterministic.

    "default" is TF32 in convolutions and float32 in matrix products, "fp32" is float32 in both.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    deterministic = torch.are_deterministic_algorithms_enabled()
    only_warn = torch.is_deterministic_algorithms_warn_only_enabled()
    matmul.allow_tf32, cudnn.allow_tf32 = False, precision == "default"
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
        torch.use_deterministic_algorithms(deterministic, warn_only=only_warn)


def published(
    case: Case, precision: PublishedPrecision, iterations: int, watch: Stopwatch
) -> dict[str, float]:
    """The same of the published loop of NI, whose best batch is rendered again in most iterations.

    What a batch does once cancels between a short one and a longer one.
    """

    def seconds(count: int) -> float:
        made = case.method("ni", count)
        started = watch.now()
        with published_numerics(precision):
            reference_batch(made, made._teacher, case.labels, 0)
        return watch.now() - started

    watch.begin()
    seconds(3)
    few, many = seconds(3), seconds(3 + iterations)
    return {"milliseconds": 1e3 * (many - few) / iterations, "peak_mb": watch.peak_mb()}


def flops(case: Case, name: str) -> float:
    """FLOPs of one iteration, counted operation by operation: nothing is captured."""

    def counted(iterations: int) -> int:
        made = case.method(name, iterations)
        with FlopCounterMode(display=False) as counter, eager():
            made.batch(case.labels, 0, lambda steps: None)
        return int(counter.get_total_flops())

    return float(counted(2) - counted(1))


def agreement(case: Case, whole: int) -> dict[str, float]:
    """The largest relative difference of the total loss to the published loop's, in float32; and
    of where a whole batch ends in bf16 to where it ends in float32."""
    ours = case.method("ni", COMPARED).batch(case.labels, 0, lambda steps: None).losses["total"]
    made = case.method("ni", COMPARED)
    with compute_in(case.device, "fp32"):
        theirs = reference_batch(made, made._teacher, case.labels, 0).losses["total"]
    ends = []
    for precision in ("fp32", "bf16"):
        batch = case.method("ni", whole, precision).batch(case.labels, 0, lambda steps: None)
        ends.append(float(batch.losses["total"][-LAST:].mean()))
    return {
        f"total loss, largest difference to the published loop in {COMPARED} iterations": float(
            ((ours - theirs).abs() / theirs.abs()).max()
        ),
        f"total loss after {whole} iterations, bf16 over float32": ends[1] / ends[0],
    }
