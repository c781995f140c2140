"""``make bench-scaling``: images a second of one worker and of two, beside what the machine allows.

Every worker has one thread. Counted is what is written while all of them are at work, so that
starting processes and importing torch don't count. The machine's own scaling is that of as many
processes that share nothing and put batches through a classifier and back.
"""

import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Literal

import pandas as pd
import torch
import tyro

from benchmarks.engine import executor
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import DataOptions
from benchmarks.engine.executor import RayOptions
from benchmarks.engine.machine import Machine
from benchmarks.perf.networks import teacher
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.registry import KINDS
from benchmarks.tables.spec import Measurement

SETTINGS = (
    "protocol.classifier_floor=0",
    "protocol.classifier.epochs=1",
    "protocol.classifier.updates_per_epoch=20",
    "di.batch_size=50",
)


@dataclass(frozen=True)
class Sizes:
    """What is measured."""

    workers: int = 2
    batches: int = 20
    """of each worker"""
    iterations: int = 40
    """of each batch"""
    repeats: int = 3
    seconds: float = 10.0
    """of the machine's own scaling"""


def synthesis(sizes: Sizes, count: int) -> list[Cell]:
    """``count`` cells of DeepInversion's images for the digits' VGG-11."""
    more = (
        f"di.batches={count * sizes.batches}",
        f"protocol.chunk={sizes.batches}",
        f"di.settings.iterations={sizes.iterations}",
    )
    recipes = Recipes("demo", "digits", [*SETTINGS, *more]).resolve("vgg11")
    images = Pipeline(recipes, 0).images(Measurement(method="di"))
    return [cell for cell, _ in images.parts]


def images_per_second(
    sizes: Sizes, workers: int, ray_options: RayOptions | None, runs: Path
) -> float:
    """The rate at which ``workers`` write images to ``runs`` while all of them are at work."""
    cells = synthesis(sizes, workers)  # Ray has a node of its own: a core for each
    summary = executor.run(
        cells, KINDS, runs, Machine("cpu", "fp32", 1), DataOptions(), workers, ray_options
    )
    if summary.failed:
        raise next(iter(summary.failed.values()))
    return rate_while_all_work([written(cell.folder(runs)) for cell in cells]) * 50


def written(folder: Path) -> list[float]:
    """When each batch of a cell was, in seconds."""
    return sorted(path.stat().st_mtime for path in folder.rglob("batch-*.safetensors"))


def rate_while_all_work(times: Sequence[Sequence[float]]) -> float:
    """Batches a second between the last cell's first batch and the first cell's last one.

    ``times`` are those of each cell. Raises `ValueError` when they never were at work together.
    """
    start, end = max(map(min, times)), min(map(max, times))
    together = sum(start < moment <= end for moments in times for moment in moments)
    if not together:
        raise ValueError("the workers were not at work at the same time: more batches are needed")
    return together / (end - start)


def machine_rate(processes: int, seconds: float) -> float:
    """Passes a second of as many processes that share nothing."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(processes) as pool:
        together = manager.Barrier(processes)
        return sum(pool.starmap(_passes, [(seconds, together)] * processes))


def _passes(seconds: float, together: Any) -> float:
    torch.set_num_threads(1)
    images = torch.randn(50, 3, 16, 16, requires_grad=True)
    of = teacher("vgg11", 0.125, 16)
    done, started = -5, time.monotonic()
    while (now := time.monotonic()) < started + seconds or done < 1:
        if done == 0:
            together.wait()
            now = started = time.monotonic()
        torch.autograd.grad(of(images).sum(), images)
        done += 1
    return done / (now - started)


def measure(sizes: Sizes, engines: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """Images a second by engine and number of workers, one after the other ``repeats`` times."""
    found: dict[str, dict[str, list[float]]] = {}
    for repeat in range(sizes.repeats):
        for count in (1, sizes.workers):
            key = str(count)
            rate = machine_rate(count, sizes.seconds)
            found.setdefault("machine", {}).setdefault(key, []).append(rate)
            for name in engines:
                print(f"{name}, {count}, {repeat + 1} of {sizes.repeats}", file=sys.stderr)
                with tempfile.TemporaryDirectory() as folder:
                    ray_options = RayOptions() if name == "ray" else None
                    rate = images_per_second(sizes, count, ray_options, Path(folder))
                found.setdefault(name, {}).setdefault(key, []).append(rate)
    return found


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Medians, and how many times the rate of one worker the rate of all is."""
    rows = {}
    for name, rates in found.items():
        (_, one), (_, many) = rates.items()
        ratios = [b / a for a, b in zip(one, many, strict=True)]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        rows[name] = {key: f"{median(rate):.1f}" for key, rate in rates.items()} | {"times": spread}
    return str(pd.DataFrame.from_dict(rows, orient="index").to_string())


def main(
    sizes: Annotated[Sizes, tyro.conf.arg(name="")] = Sizes(),
    engines: tuple[Literal["processes", "ray"], ...] = ("processes", "ray"),
    out: Path | None = None,
) -> None:
    """Measure, print a table, write JSON to ``out`` if given."""
    if sizes.workers < 2:
        sys.exit("error: --workers: two or more, one is what they are compared with")
    found = measure(sizes, engines)
    print(table(found))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
