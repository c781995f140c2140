"""How far a cell is, read from its folder: its record, its lock and its log."""

import re
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import LOG, is_done

CellState = Literal["done", "at work", "to do"]


def cell_state(cell: Cell, runs: Path) -> CellState:
    """``done``, ``at work`` (a process holds its lock) or ``to do``; no artefact is read."""
    if is_done(cell, runs, verify=False):
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


def computed_by(cell: Cell, runs: Path, state: CellState) -> str:
    """The machine and process that compute a cell at work, by its log; else empty."""
    log = cell.folder(runs) / LOG
    if state != "at work" or not log.exists():
        return ""
    started = re.findall(r" started by (.*, process \d+):", log.read_text(errors="replace"))
    return str(started[-1]) if started else ""
