"""``make bench-neighbours``: precision and recall of 50,000 against 50,000 images, time and memory.

The four tables of distances would take 10 GB each; they are made and read in strips. Features are
random: neither time nor memory depends on what they are.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro

from benchmarks.engine.machine import peak_memory, reset_peak_memory
from benchmarks.evaluation.fidelity import torch_fidelity_api


@dataclass(frozen=True)
class Sizes:
    """What is compared."""

    images: int = 50_000
    """of either set"""
    features: int = 1280
    """of an image: 1280 of EfficientNet-Lite0, 2048 of Inception"""
    neighbours: int = 3


@dataclass(frozen=True)
class Found:
    """``peak_mb`` is what was held at most, 1e6 bytes, above what the features themselves take;
    ``full_mb`` is one whole table of distances.
    """

    device: str
    torch: str
    threads: int
    images: int
    features: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    full_mb: float


def measure(sizes: Sizes, device: torch.device) -> Found:
    """Time and memory of `benchmarks.evaluation.fidelity.torch_fidelity_api.precision_recall`."""
    torch.manual_seed(0)
    one, other = torch.randn(2, sizes.images, sizes.features, device=device)
    reset_peak_memory(device)
    before = peak_memory(device)
    started, cpu = time.perf_counter(), time.process_time()
    torch_fidelity_api.precision_recall(one, other, sizes.neighbours, device)
    return Found(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        images=sizes.images,
        features=sizes.features,
        seconds=round(time.perf_counter() - started, 1),
        cpu_seconds=round(time.process_time() - cpu, 1),
        peak_mb=round(peak_memory(device) - before, 1),
        full_mb=round(4 * sizes.images**2 / 1e6, 1),
    )


def main(
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes(),
    device: str = "cpu",
    threads: int = 0,
    out: Path | None = None,
) -> None:
    """Measure, print a line, write JSON if told where; 0 threads are all."""
    if threads:
        torch.set_num_threads(threads)
    found = measure(sizes, torch.device(device))
    print(
        f"{found.images:,} against {found.images:,} images, {found.features} features, "
        f"{found.device}, {found.threads} threads: {found.seconds:.0f} s "
        f"({found.cpu_seconds:.0f} s of CPU), {found.peak_mb:,.0f} MB beside the features "
        f"(one whole table of distances: {found.full_mb:,.0f} MB)"
    )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(asdict(found), indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
