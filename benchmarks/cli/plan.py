"""``plan``: what tables would run here, and how long it would take; nothing is run."""

from dataclasses import dataclass, field

from benchmarks.cli.cell_plan import print_plan
from benchmarks.cli.console import print_json, print_result
from benchmarks.cli.execution_options import WorkerOptions
from benchmarks.cli.table_options import ALL, TableOptions
from benchmarks.engine.estimate import simulate
from benchmarks.tables.expand import cells_of
from reports.records import load_all
from reports.tables.export import NOT_RUN
from reports.tables.markup import markdown_table


@dataclass(frozen=True)
class Plan(TableOptions):
    """Print what tables would run: cells, images, and time measured on this machine."""

    execution: WorkerOptions = field(default_factory=WorkerOptions)
    timing: bool = True
    """time a few steps of every kind on this machine, which takes a minute or more"""
    recorded: bool = False
    """print the time of each table by the records of its cells, and time nothing"""

    def run(self) -> int:
        """Print cells and images at once, then their times, measured here."""
        self.execution.check()
        if self.recorded:
            return self._print_recorded()
        about = f"{' '.join(self.tables)} at scale {self.recipe.scale}"
        runs, cells = self.paths.runs_dir, cells_of(self.planned())
        print_plan(about, cells, runs, self.execution, timing=self.timing, json=self.json)
        return 0

    def _print_recorded(self) -> int:
        """Each table alone and from nothing, and all together, by the seconds in the records."""
        planned, workers = self.planned(), self.execution.worker_count()
        tables = {one.tables[0].name: cells_of([one]) for one in planned}
        if len(tables) > 1:
            tables[ALL] = cells_of(planned)
        records = load_all(self.paths.runs_dir, skip_damaged=True)
        rows = []
        for name, cells in tables.items():
            seconds = {c.key: records[c.key].cost.seconds for c in cells if c.key in records}
            known = [cell for cell in cells if cell.key in seconds]
            wall = simulate(cells, known, seconds, workers) if known else None
            rows.append((name, len(cells), len(known), wall))
        if self.json:
            names = ("table", "cells", "recorded", "wall_seconds")
            print_json([dict(zip(names, row, strict=True)) for row in rows])
            return 0
        head = ("table", "cells", "recorded", f"minutes, {workers} at a time")
        lines = [
            (name, str(n), str(known), NOT_RUN if wall is None else f"{wall / 60:.1f}")
            for name, n, known, wall in rows
        ]
        print_result(markdown_table(head, lines, "lrrr", pad=False))
        return 0
