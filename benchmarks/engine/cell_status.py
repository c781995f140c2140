"""How far a cell is, read from its folder: its record, its lock and its log."""

import errno
import fcntl
import os
import re
from pathlib import Path
from typing import Literal

from benchmarks.engine.artefacts import LOG
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import FAILURE, is_done

CellState = Literal["done", "at work", "failed", "to do"]
# As file systems say that a lock is held. One without locks has ENOSYS: filelock's file lies there
# as long as it is held.
HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOSYS)


def cell_state(cell: Cell, runs: Path) -> CellState:
    """``done``, ``at work`` (a process holds its lock), ``failed`` (the last attempt did) or ``to
    do``; no artefact is read.
    """
    if is_done(cell, runs, verify=False):
        return "done"
    if is_locked(cell.folder(runs) / ".lock"):
        return "at work"
    return "failed" if why_failed(cell, runs) else "to do"


def is_locked(lock: Path) -> bool:
    """Whether a process holds the `FileLock` of this file, which is only read: a folder may be
    somebody else's, and may be on a file system that is mounted to be read.

    Those who look share their lock, so that they don't see each other.
    """
    try:
        file = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # no attempt yet, or not ours to read
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in HELD
    finally:
        os.close(file)
    return False


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
