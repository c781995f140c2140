"""``plan``: what tables would run here, and how long it would take; nothing is run."""

from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.cli.console import result, result_json
from benchmarks.cli.options import How
from benchmarks.cli.table_options import ALL, OfTables
from benchmarks.engine.cell import Cell, closure
from benchmarks.engine.cell_runner import is_done
from benchmarks.engine.estimate import Estimate, estimate, play
from benchmarks.tables.expand import SYNTHETIC
from reports.records import load_all


@dataclass(frozen=True)
class Plan(OfTables):
    """Say what tables would run: cells, images, and time measured on this machine."""

    how: How = field(default_factory=How)
    recorded: bool = False
    """print what each table takes by the seconds in the records of its cells, and time nothing"""

    def run(self) -> int:
        """Time a few steps of every kind, then print the plan."""
        if self.recorded:
            return self._print_recorded()
        cells = self.cells()
        todo = [cell for cell in cells if not is_done(cell, self.where.runs_dir)]
        workers = self.how.worker_count()
        found = estimate(cells, todo, self.how.machine(), workers)
        if self.json:
            result_json(
                {
                    "cells": [
                        {
                            "kind": cell.kind,
                            "label": cell.label,
                            "key": cell.key,
                            "done": cell.key not in found.seconds,
                            "images": images(cell),
                            "seconds": found.seconds.get(cell.key, 0.0),
                        }
                        for cell in cells
                    ],
                    "workers": workers,
                    "wall_seconds": found.wall,
                }
            )
            return 0
        for line in self._lines(cells, todo, found, workers):
            result(line)
        return 0

    def _print_recorded(self) -> int:
        """Each table alone and from nothing, and all together: workers play the records' cells."""
        planned, workers = self.planned(), self.how.worker_count()
        tables = {one.tables[0].name: closure(one.targets) for one in planned}
        if len(tables) > 1:
            tables[ALL] = self.cells()
        records = load_all(self.where.runs_dir)
        rows = []
        for name, cells in tables.items():
            seconds = {c.key: records[c.key].cost.seconds for c in cells if c.key in records}
            known = [cell for cell in cells if cell.key in seconds]
            rows.append((name, len(cells), len(known), play(cells, known, seconds, workers)))
        if self.json:
            names = ("table", "cells", "recorded", "wall_seconds")
            result_json([dict(zip(names, row, strict=True)) for row in rows])
            return 0
        result(f"| table | cells | recorded | minutes, {workers} at a time |")
        result("| --- | ---: | ---: | ---: |")
        for name, count, known_count, wall in rows:
            result(f"| {name} | {count} | {known_count} | {wall / 60:.1f} |")
        return 0

    def _lines(
        self, cells: list[Cell], todo: list[Cell], found: Estimate, workers: int
    ) -> list[str]:
        by_kind: dict[str, list[Cell]] = defaultdict(list)
        for cell in todo:
            by_kind[cell.kind].append(cell)
        lines = [
            f"{' '.join(self.tables)} at scale {self.what.scale}: {len(cells)} cells, "
            f"{len(cells) - len(todo)} done, {len(todo)} to do"
        ]
        for name, members in by_kind.items():
            seconds = sum(found.seconds[cell.key] for cell in members)
            made = sum(images(cell) for cell in members)
            text = f"  {name:14} {len(members):4} cells {duration(seconds):>10} of work"
            lines.append(text + (f", {made:,} images" if made else ""))
        lines.append(f"  about {duration(found.wall)} with {workers} at a time")
        return lines


def images(cell: Cell) -> int:
    """How many images a cell makes."""
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
