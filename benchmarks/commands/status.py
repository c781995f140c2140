"""``status``: which cells of a table are done, at work, or still to do."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from tyro.conf import Positional

from benchmarks.cells import Cell, closure
from benchmarks.commands.common import table_expansions
from benchmarks.options import What, Where
from benchmarks.output import result, result_json
from benchmarks.runner import is_done


@dataclass(frozen=True)
class Status:
    """Say how far a table is; nothing is run."""

    table: Positional[str]
    """table5"""
    what: What = field(default_factory=What)
    where: Where = field(default_factory=Where)
    methods: tuple[str, ...] = ()
    """some of the table's methods; default: the table's"""
    rows: tuple[str, ...] = ()
    """some rows as teacher-student; default: all"""
    json: bool = False
    """print the result as JSON"""

    def run(self) -> int:
        """Print one line per cell that isn't done, and the counts."""
        expansions = table_expansions(self.table, self.what, self.methods, self.rows)
        cells = closure([cell for expansion in expansions for cell in expansion.targets])
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
