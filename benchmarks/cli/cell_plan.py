"""What is said of planned cells: how many, how many images, and how long they would take here."""

from collections import defaultdict
from pathlib import Path

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.execution_options import WorkerOptions
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import is_done
from benchmarks.engine.estimate import Estimate, estimate
from benchmarks.tables.image_cells import SYNTHETIC
from benchmarks.tables.registry import count_steps


def print_plan(
    about: str,
    cells: list[Cell],
    runs: Path,
    execution: WorkerOptions,
    *,
    timing: bool,
    json: bool,
) -> None:
    """Cells and images of ``about`` at once, then their times, measured here if ``timing``.

    Raises `UsageError` before anything is printed, where the device to be timed is not there.
    """
    machine = execution.machine()
    if timing:
        machine.torch_device()
    if not json:
        _print_cells(about, cells)
    todo = [cell for cell in cells if not is_done(cell, runs, verify=False)]
    if not json:
        print_result(f"{len(cells) - len(todo)} done, {len(todo)} to do")
        if todo and timing:
            log("timing their steps on this machine, which takes a minute or more")
    found, workers = None, execution.worker_count()
    if timing:
        found = estimate(cells, todo, count_steps, machine, workers)
    if json:
        _print_json(cells, todo, found, workers)
    elif found is not None and todo:
        _print_times(todo, found, workers)


def _print_cells(about: str, cells: list[Cell]) -> None:
    """Every cell of the tables, done or not."""
    made = sum(map(images, cells))
    print_result(f"{about}: {len(cells)} cells, {made:,} images")
    for name, members in _by_kind(cells).items():
        made = sum(map(images, members))
        print_result(f"  {name:14} {len(members):4} cells" + (f", {made:,} images" if made else ""))


def _print_times(todo: list[Cell], found: Estimate, workers: int) -> None:
    for name, members in _by_kind([c for c in todo if c.key in found.seconds]).items():
        seconds = sum(found.seconds[cell.key] for cell in members)
        print_result(f"  {name:14} {len(members):4} cells {rough_duration(seconds):>10} of work")
    for cell in todo:
        if cell.key in found.unknown:
            why = "its method has no with_iterations (docs/adding-a-method.md)"
            print_result(f"  not estimated: {cell.kind} {cell.label}: {why}")
    besides = " for the others" if found.unknown else ""
    print_result(f"  about {rough_duration(found.wall)}{besides} with {workers} at a time")


def _print_json(cells: list[Cell], todo: list[Cell], found: Estimate | None, workers: int) -> None:
    """Seconds are null where nothing was or can be timed, 0 of what is done."""
    left = {cell.key for cell in todo}
    print_json(
        {
            "cells": [
                {
                    "kind": cell.kind,
                    "label": cell.label,
                    "key": cell.key,
                    "done": cell.key not in left,
                    "images": images(cell),
                    "seconds": _seconds(cell, found),
                }
                for cell in cells
            ],
            "workers": workers,
            "wall_seconds": found and found.wall,
        }
    )


def _seconds(cell: Cell, found: Estimate | None) -> float | None:
    if found is None or cell.key in found.unknown:
        return None
    return found.seconds.get(cell.key, 0.0)


def _by_kind(cells: list[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        found[cell.kind].append(cell)
    return found


def images(cell: Cell) -> int:
    """How many images a cell synthesizes."""
    if cell.kind not in SYNTHETIC:
        return 0
    return int(cell.recipe["batches"]) * int(cell.recipe["batch_size"])


def rough_duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``7.5 h`` or ``3.1 days``."""
    for limit, unit, divisor in ((90, "s", 1), (5400, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            value = seconds / divisor
            return f"{value:.0f} {unit}" if unit != "h" else f"{value:.1f} {unit}"
    return f"{seconds / 86400:.1f} days"
