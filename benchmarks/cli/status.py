"""``status``: which cells of tables are done, at work, or still to do."""

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from benchmarks.cli.console import print_json, print_result
from benchmarks.cli.options import RUNS
from benchmarks.cli.table_options import TableOptions
from benchmarks.engine.cell_status import CellState, cell_state, computed_by, why_failed
from benchmarks.tables.expand import cells_of


@dataclass(frozen=True)
class Status(TableOptions):
    """Print which cells of tables are done; nothing is run."""

    def run(self) -> int:
        """Print one line per cell that isn't done, and the counts."""
        cells, runs = cells_of(self.planned()), self.paths.runs_dir
        if runs != RUNS:
            self.paths.require_runs()
        states = [cell_state(cell, runs) for cell in cells]
        places = [computed_by(cell, runs, s) for cell, s in zip(cells, states, strict=True)]
        rows = list(zip(cells, states, places, strict=True))
        if self.json:
            print_json(
                [
                    {"kind": cell.kind, "label": cell.label, "key": cell.key}
                    | {"state": state, "where": place, "reason": why_failed(cell, runs)}
                    for cell, state, place in rows
                ]
            )
            return 0
        for cell, state, place in rows:
            if state != "done":
                more = f" on {place}" if place else ""
                if state == "failed":
                    more = f": {why_failed(cell, runs)}"
                print_result(f"{state:8} {cell.kind} {cell.label} {cell.key}{more}")
        counts = Counter(states)
        print_result(", ".join(f"{counts[s]} {s}" for s in get_args(CellState) if counts[s]))
        return 0
