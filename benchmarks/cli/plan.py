"""``plan``: what tables would run here, and how long it would take; nothing is run."""

from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.options import RunOptions
from benchmarks.cli.table_options import ALL, TableOptions
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.cell_runner import is_done
from benchmarks.engine.estimate import Estimate, estimate, simulate
from benchmarks.tables.image_cells import SYNTHETIC
from benchmarks.tables.registry import count_steps
from reports.records import load_all


@dataclass(frozen=True)
class Plan(TableOptions):
    """Print what tables would run: cells, images, and time measured on this machine."""

    execution: RunOptions = field(default_factory=RunOptions)
    timing: bool = True
    """time a few steps of every kind on this machine, which takes a minute or more"""
    recorded: bool = False
    """print the time of each table by the records of its cells, and time nothing"""

    def run(self) -> int:
        """Print cells and images at once, then their times, measured here."""
        if self.recorded:
            return self._print_recorded()
        cells = self.cells()
        if not self.json:
            self._print_cells(cells)
        todo = [cell for cell in cells if not is_done(cell, self.paths.runs_dir)]
        if not self.json:
            print_result(f"{len(cells) - len(todo)} done, {len(todo)} to do")
            if todo and self.timing:
                log("timing their steps on this machine; --no-timing leaves it out")
        found = None
        if self.timing:
            found = estimate(
                cells, todo, count_steps, self.execution.machine(), self.execution.worker_count()
            )
        if self.json:
            self._print_json(cells, todo, found)
        elif found is not None and todo:
            self._print_times(todo, found)
        return 0

    def _print_cells(self, cells: list[Cell]) -> None:
        """Every cell of the tables, done or not."""
        made = sum(map(images, cells))
        about = f"{' '.join(self.tables)} at scale {self.recipe.scale}"
        print_result(f"{about}: {len(cells)} cells, {made:,} images")
        for name, members in _by_kind(cells).items():
            made = sum(map(images, members))
            print_result(
                f"  {name:14} {len(members):4} cells" + (f", {made:,} images" if made else "")
            )

    def _print_times(self, todo: list[Cell], found: Estimate) -> None:
        for name, members in _by_kind([c for c in todo if c.key in found.seconds]).items():
            seconds = sum(found.seconds[cell.key] for cell in members)
            print_result(f"  {name:14} {len(members):4} cells {duration(seconds):>10} of work")
        for cell in todo:
            if cell.key in found.unknown:
                why = "its method has no with_iterations (docs/adding-a-method.md)"
                print_result(f"  not estimated: {cell.kind} {cell.label}: {why}")
        wall, workers = duration(found.wall), self.execution.worker_count()
        besides = " for the others" if found.unknown else ""
        print_result(f"  about {wall}{besides} with {workers} at a time")

    def _print_json(self, cells: list[Cell], todo: list[Cell], found: Estimate | None) -> None:
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
                "workers": self.execution.worker_count(),
                "wall_seconds": found and found.wall,
            }
        )

    def _print_recorded(self) -> int:
        """Each table alone and from nothing, and all together: workers play the records' cells."""
        planned, workers = self.planned(), self.execution.worker_count()
        tables = {one.tables[0].name: with_inputs(one.targets) for one in planned}
        if len(tables) > 1:
            tables[ALL] = self.cells()
        records = load_all(self.paths.runs_dir)
        rows = []
        for name, cells in tables.items():
            seconds = {c.key: records[c.key].cost.seconds for c in cells if c.key in records}
            known = [cell for cell in cells if cell.key in seconds]
            rows.append((name, len(cells), len(known), simulate(cells, known, seconds, workers)))
        if self.json:
            names = ("table", "cells", "recorded", "wall_seconds")
            print_json([dict(zip(names, row, strict=True)) for row in rows])
            return 0
        print_result(f"| table | cells | recorded | minutes, {workers} at a time |")
        print_result("| --- | ---: | ---: | ---: |")
        for name, count, known_count, wall in rows:
            print_result(f"| {name} | {count} | {known_count} | {wall / 60:.1f} |")
        return 0


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


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``7.5 h`` or ``3.1 days``."""
    for limit, unit, divisor in ((90, "s", 1), (5400, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            value = seconds / divisor
            return f"{value:.0f} {unit}" if unit != "h" else f"{value:.1f} {unit}"
    return f"{seconds / 86400:.1f} days"
