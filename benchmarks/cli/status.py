"""``status``: which cells of tables are done, at work, or still to do."""

from collections import Counter
from dataclasses import dataclass

from benchmarks.cli.console import print_json, print_result
from benchmarks.cli.table_options import TableOptions
from benchmarks.engine.cell_status import cell_state, computed_by


@dataclass(frozen=True)
class Status(TableOptions):
    """Print which cells of tables are done; nothing is run."""

    def run(self) -> int:
        """Print one line per cell that isn't done, and the counts."""
        cells, runs = self.cells(), self.paths.runs_dir
        states = [cell_state(cell, runs) for cell in cells]
        places = [computed_by(cell, runs, s) for cell, s in zip(cells, states, strict=True)]
        rows = list(zip(cells, states, places, strict=True))
        if self.json:
            print_json(
                [
                    {"kind": cell.kind, "label": cell.label, "key": cell.key}
                    | {"state": state, "where": place}
                    for cell, state, place in rows
                ]
            )
            return 0
        for cell, state, place in rows:
            if state != "done":
                on = f" on {place}" if place else ""
                print_result(f"{state:8} {cell.kind} {cell.label} {cell.key}{on}")
        counts = Counter(states)
        print_result(
            ", ".join(f"{counts[s]} {s}" for s in ("done", "at work", "to do") if counts[s])
        )
        return 0
