"""``status``: which cells of tables are done, at work, or still to do."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.cli.console import result, result_json
from benchmarks.cli.table_options import OfTables
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import LOG, is_done


@dataclass(frozen=True)
class Status(OfTables):
    """Say how far tables are; nothing is run."""

    def run(self) -> int:
        """Print one line per cell that isn't done, and the counts."""
        cells = self.cells()
        runs = self.where.runs_dir
        states = [(cell, s := state(cell, runs), where(cell, runs, s)) for cell in cells]
        counts = Counter(found for _, found, _ in states)
        if self.json:
            result_json(
                [
                    {"kind": c.kind, "label": c.label, "key": c.key, "state": s, "where": w}
                    for c, s, w in states
                ]
            )
            return 0
        for cell, found, place in states:
            if found != "done":
                on = f" on {place}" if place else ""
                result(f"{found:8} {cell.kind} {cell.label} {cell.key}{on}")
        result(", ".join(f"{counts[s]} {s}" for s in ("done", "at work", "to do") if counts[s]))
        return 0


def where(cell: Cell, runs: Path, state: str) -> str:
    """The machine and process that make a cell at work, by its log; else empty."""
    log = cell.folder(runs) / LOG
    if state != "at work" or not log.exists():
        return ""
    started = re.findall(r" started by (.*, process \d+):", log.read_text(errors="replace"))
    return str(started[-1]) if started else ""


def state(cell: Cell, runs: Path) -> str:
    """``done``, ``at work`` (a process holds its lock) or ``to do``."""
    if is_done(cell, runs):
        return "done"
    lock = cell.folder(runs) / ".lock"
    if not lock.exists():
        return "to do"
    try:
        with FileLock(lock, timeout=0):
            return "to do"
    except Timeout:
        return "at work"
    except OSError:
        return "to do"
