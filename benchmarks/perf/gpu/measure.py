"""What is measured on a GPU, part by part: a part that fails takes no other with it."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks.perf import synthesis_speed, training_speed
from benchmarks.perf.stopwatch import Stopwatch
from naturalinversion.precision import Precision

Found = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """What is measured; the defaults are those that the targets are about."""

    arch: str = "resnet34"
    width: float = 1.0
    image: int = 32
    batch: int = 256
    iterations: int = 60
    """timed iterations of a batch, after ten more; a quarter of them of the published loop"""
    long: int = 1000
    """iterations of the batches that tell what a new one adds"""
    whole: int = 200
    """iterations of the batch that compares precisions"""
    matrix: int = 8192
    student: str = "resnet18"
    training_batch: int = 512
    updates: int = 60
    """timed updates in bf16; a quarter of them in other precisions"""


@dataclass(frozen=True)
class Part:
    """Figures by group and name."""

    name: str
    run: Callable[[], dict[str, Any]]


def measure(
    sizes: Sizes,
    device: torch.device,
    say: Callable[[str], None],
    keep: Callable[[Found], None] = lambda found: None,
) -> Found:
    """Everything; ``say`` prints a line for each part and ``keep`` gets the figures after it.

    What could not be measured is under "failed", by name, in one line.
    """
    found: Found = {"device": name_of(device), "sizes": asdict(sizes)}
    found["versions"] = {"torch": torch.__version__, "cuda": torch.version.cuda or ""}
    found["failed"] = {}
    for part in parts(sizes, device):
        started = time.monotonic()
        try:
            figures = part.run()
        except Exception as error:  # whatever a device raises
            line = f"{type(error).__name__}: {(str(error).strip() or '?').splitlines()[0]}"
            found["failed"][part.name] = line
            say(f"{part.name}: failed: {line}")
        else:
            for group, values in figures.items():
                found.setdefault(group, {}).update(values)
            say(f"{part.name}: {_shown(figures)}  {time.monotonic() - started:.1f} s")
        keep(found)
    return found


def parts(sizes: Sizes, device: torch.device) -> list[Part]:
    """What the targets need comes first."""
    watch = Stopwatch(device)
    case = synthesis_speed.Case(sizes.arch, sizes.width, sizes.image, sizes.batch, device)

    def iteration(name: str, precision: Precision) -> Part:
        return Part(
            f"{name}, {precision}",
            lambda: {
                "iteration": {
                    f"{name}, {precision}": synthesis_speed.fast(
                        case, name, precision, sizes.iterations, watch
                    )
                }
            },
        )

    def published(precision: synthesis_speed.PublishedPrecision) -> Part:
        name = f"published ni, {precision}"
        count = max(1, sizes.iterations // 4)
        return Part(
            name,
            lambda: {"iteration": {name: synthesis_speed.published(case, precision, count, watch)}},
        )

    def trained(precision: Precision, updates: int) -> Part:
        def run() -> dict[str, Any]:
            size = sizes.student, sizes.width, sizes.image, sizes.training_batch
            return {"training": {precision: training_speed.speed(*size, updates, precision, watch)}}

        return Part(f"training, {precision}", run)

    def long() -> dict[str, Any]:
        step, batch = synthesis_speed.new_batch(case, "ni", "bf16", sizes.long, watch)
        return {"iteration": {"ni, bf16": step}, "new batch": batch}

    few = max(1, sizes.updates // 4)
    return [
        Part("matrix products", lambda: {"matrix": {"bf16": matrix_rate(sizes.matrix, watch)}}),
        Part("operations", lambda: {"operations": {"ni": synthesis_speed.flops(case, "ni")}}),
        Part("ni, bf16", long),
        iteration("di", "bf16"),
        published("fp32"),
        published("default"),
        trained("bf16", sizes.updates),
        Part("agreement", lambda: {"agreement": synthesis_speed.agreement(case, sizes.whole)}),
        iteration("ni", "tf32"),
        iteration("ni", "fp32"),
        trained("tf32", few),
        trained("fp32", few),
    ]


def matrix_rate(size: int, watch: Stopwatch) -> float:
    """FLOP per second of bf16 products of square matrices."""
    one, other = torch.randn(2, size, size, device=watch.device, dtype=torch.bfloat16)
    seconds = watch.per_call(lambda: one @ other, 20)
    return 2 * size**3 / seconds


def name_of(device: torch.device) -> str:
    """The model of a GPU, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _shown(figures: dict[str, Any]) -> str:
    flat: dict[str, float] = {}
    for values in figures.values():
        for name, value in values.items():
            flat |= value if isinstance(value, dict) else {name: value}
    return ", ".join(f"{name} {value:,.4g}" for name, value in flat.items())
