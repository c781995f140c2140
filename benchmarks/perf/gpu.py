"""``make bench-gpu``: synthesis and training on a GPU against the published step and the hardware.

Everything is measured in one run of a few minutes: the rate of bf16 matrix products, the published
step, ours in three precisions, how far they agree, and training beside its bare step. Prints one
table, writes JSON; exit code 3 where there is no GPU.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import tyro

from benchmarks.engine.context import Machine
from benchmarks.engine.torch_setup import set_up_torch
from benchmarks.perf import synthesis_speed, training_speed
from benchmarks.perf.stopwatch import Stopwatch
from naturalinversion.precision import Precision

RESULTS = Path(__file__).parent / "results"
NO_GPU = 3
ITERATION_MS, TIMES_FASTER, MATRIX_SHARE = 12.0, 5.0, 0.35
IMAGES_PER_SECOND, OVERHEAD = 20_000, 0.05
PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class Sizes:
    """What is measured; the defaults are those that the targets are about."""

    arch: str = "resnet34"
    width: float = 1.0
    image: int = 32
    batch: int = 256
    iterations: int = 60
    """timed iterations of a batch, after ten more"""
    whole: int = 400
    """iterations of the batch that compares precisions"""
    matrix: int = 8192
    student: str = "resnet18"
    training_batch: int = 512
    updates: int = 60


def matrix_rate(size: int, watch: Stopwatch) -> float:
    """FLOP per second of bf16 products of square matrices."""
    one, other = torch.randn(2, size, size, device=watch.device, dtype=torch.bfloat16)
    seconds = watch.per_call(lambda: one @ other, 20)
    return 2 * size**3 / seconds


def measure(sizes: Sizes, device: torch.device, say: Callable[[str], None]) -> dict[str, Any]:
    """Everything, by name."""
    watch = Stopwatch(device)
    found: dict[str, Any] = {"device": _name(device), "sizes": asdict(sizes)}
    found["versions"] = {"torch": torch.__version__, "cuda": torch.version.cuda or ""}
    say("matrix products")
    found["matrix_flops_per_second"] = matrix_rate(sizes.matrix, watch)
    network = synthesis_speed.Case(sizes.arch, sizes.width, sizes.image, sizes.batch, device)
    found["flops_per_iteration"] = synthesis_speed.flops(network)
    found["iteration"] = {}
    for precision in PRECISIONS[:2]:
        say(f"published step, {precision}")
        name = f"published, {precision}"
        found["iteration"][name] = synthesis_speed.published(
            network, precision, sizes.iterations // 4, watch
        )
    for precision in PRECISIONS:
        say(f"step, {precision}")
        found["iteration"][precision] = synthesis_speed.fast(
            network, precision, sizes.iterations, watch
        )
    say("agreement")
    found["agreement"] = synthesis_speed.agreement(network, sizes.whole)
    for precision in PRECISIONS:
        say(f"training, {precision}")
        found.setdefault("training", {})[precision] = training_speed.speed(
            sizes.student,
            sizes.width,
            sizes.image,
            sizes.training_batch,
            sizes.updates,
            precision,
            watch,
        )
    found["targets"] = targets(found)
    return found


def targets(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each target with what was measured and whether it is met."""
    step, trained = found["iteration"]["bf16"]["milliseconds"], found["training"]["bf16"]
    times = found["iteration"]["published, fp32"]["milliseconds"] / step
    share = found["flops_per_iteration"] / (step / 1e3) / found["matrix_flops_per_second"]
    rows = {
        "milliseconds an iteration": (step, "at most", ITERATION_MS),
        "times faster than the published step": (times, "at least", TIMES_FASTER),
        "share of the bf16 matrix rate": (share, "at least", MATRIX_SHARE),
        "training, images a second": (
            trained["images_per_second"],
            "at least",
            IMAGES_PER_SECOND,
        ),
        "training, over the bare step": (trained["overhead"], "at most", OVERHEAD),
    }
    return {
        name: {
            "measured": measured,
            "target": f"{bound} {limit:,g}",
            "met": measured <= limit if bound == "at most" else measured >= limit,
        }
        for name, (measured, bound, limit) in rows.items()
    }


def table(found: dict[str, Any]) -> str:
    """One table of everything, for people."""
    rows: list[Sequence[Any]] = []
    for name, values in found["iteration"].items():
        rows.append((f"iteration, {name}, ms", values["milliseconds"], ""))
        rows.append((f"iteration, {name}, peak MB", values["peak_mb"], ""))
    for precision, values in found["training"].items():
        rows.append((f"training, {precision}, images/s", values["images_per_second"], ""))
        rows.append((f"training, {precision}, peak MB", values["peak_mb"], ""))
    for name, value in found["agreement"].items():
        rows.append((name, value, ""))
    for name, target in found["targets"].items():
        verdict = "met" if target["met"] else "missed"
        rows.append((name, target["measured"], f"{target['target']}: {verdict}"))
    rows.append(("bf16 matrix products, TFLOP/s", found["matrix_flops_per_second"] / 1e12, ""))
    rows.append(("an iteration, TFLOP", found["flops_per_iteration"] / 1e12, ""))
    frame = pd.DataFrame(rows, columns=[found["device"], "measured", "target"])
    shown = frame.to_string(index=False, formatters={"measured": "{:,.4g}".format})
    return str(shown)


def main(sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes(), out: Path = RESULTS) -> int:
    """Measure, print and write ``OUT/<device>.json``; exit code 3 without a GPU."""
    if not torch.cuda.is_available():
        print("bench-gpu needs a CUDA device, and this machine has none", file=sys.stderr)
        return NO_GPU
    device = set_up_torch(Machine("cuda", "bf16", torch.get_num_threads()))  # as a run does
    found = measure(sizes, device, lambda text: print(text, file=sys.stderr))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{re.sub(r'[^a-z0-9]+', '-', found['device'].lower())}.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    print(f"written: {path}", file=sys.stderr)
    return 0


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
