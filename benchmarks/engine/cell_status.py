"""How far a cell is, read from its folder: its record, its lock and its log."""

import re
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import FAILURE, LOG, is_done

CellState = Literal["done", "at work", "failed", "to do"]


def cell_state(cell: Cell, runs: Path) -> CellState:
    """``done``, ``at work`` (a process holds its lock), ``failed`` (the last attempt did) or ``to
    do``; no artefact is read.
    """
    if is_done(cell, runs, verify=False):
        return "done"
    lock = cell.folder(runs) / ".lock"
    if lock.exists():
        try:
            with FileLock(lock, timeout=0):
                pass
        except Timeout:
            return "at work"
        except OSError:
            return "to do"
    return "failed" if why_failed(cell, runs) else "to do"


def why_failed(cell: Cell, runs: Path) -> str:
    """What ended the last attempt at a cell, on one line; empty where nothing did."""
    try:
        return (cell.folder(runs) / FAILURE).read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def computed_by(cell: Cell, runs: Path, state: CellState) -> str:
    """The machine and process that compute a cell at work, by its log; else empty."""
    log = cell.folder(runs) / LOG
    if state != "at work" or not log.exists():
        return ""
    started = re.findall(r" started by (.*, process \d+):", log.read_text(errors="replace"))
    return str(started[-1]) if started else ""
