"""``status``: which cells of tables are done, at work, or still to do."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.options import RUNS
from benchmarks.cli.table_options import TableOptions
from benchmarks.engine.cell_status import CellState, cell_state, computed_by, why_failed
from benchmarks.tables.expand import cells_of
from reports.records import RecordError
from reports.tables.layout import Table
from reports.tables.table_files import read, table_files


@dataclass(frozen=True)
class Status(TableOptions):
    """Print which cells of tables are done; nothing is run."""

    def run(self) -> int:
        """Print one line per cell that isn't done, and the counts."""
        planned, runs = self.planned(), self.paths.runs_dir
        cells = cells_of(planned)
        if runs != RUNS:
            self.paths.require_runs()
        states = [cell_state(cell, runs) for cell in cells]
        places = [computed_by(cell, runs, s) for cell, s in zip(cells, states, strict=True)]
        rows = list(zip(cells, states, places, strict=True))
        if "to do" in states:
            log_set_by_hand([table for one in planned for table in one.tables], runs)
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


def log_set_by_hand(asked: Sequence[Table], runs: Path) -> None:
    """Name the tables of ``runs`` that are some of those ``asked`` for, but with values set by
    hand: their cells are others.
    """
    plain = {(one.id, one.scale, one.dataset) for one in asked if not one.overrides}
    for path in table_files(runs):
        with suppress(RecordError):  # which a report names
            found = read(path)
            if found.overrides and (found.id, found.scale, found.dataset) in plain:
                by_hand = ", ".join(found.overrides)
                log(f"{path} was run with {by_hand}: give the same options for its cells")
