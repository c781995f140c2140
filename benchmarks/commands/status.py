"""``status``: which cells of tables are done, at work, or still to do."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.cells import Cell
from benchmarks.commands.common import OfTables
from benchmarks.output import result, result_json
from benchmarks.runner import is_done


@dataclass(frozen=True)
class Status(OfTables):
    """Say how far tables are; nothing is run."""

    def run(self) -> int:
        """Print one line per cell that isn't done, and the counts."""
        cells = self.cells()
        states = [(cell, state(cell, self.where.runs_dir)) for cell in cells]
        counts = Counter(where for _, where in states)
        if self.json:
            result_json(
                [{"kind": c.kind, "label": c.label, "key": c.key, "state": s} for c, s in states]
            )
            return 0
        for cell, where in states:
            if where != "done":
                result(f"{where:8} {cell.kind} {cell.label} {cell.key}")
        result(", ".join(f"{counts[s]} {s}" for s in ("done", "at work", "to do") if counts[s]))
        return 0


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
