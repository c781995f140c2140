"""Run many cells: in order, several at a time where the machine has the cores for it."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.cells import Cell, closure
from benchmarks.errors import BenchmarkError
from benchmarks.runner import CellFailedError, Outcome, damage, is_done, run_cell
from benchmarks.work import DataSource, Machine
from naturalinversion.progress import quiet, use_line


@dataclass
class Summary:
    """What a run did: ``failed`` by label, and ``blocked``, who needed what failed."""

    made: int = 0
    found: int = 0
    failed: dict[str, CellFailedError] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)


def run(
    targets: Sequence[Cell],
    runs: Path,
    machine: Machine,
    data: DataSource,
    workers: int = 1,
) -> Summary:
    """Make the targets and all they need. A failed cell blocks what reads it and nothing else.

    With one worker cells run in this process. With more, each worker is a fresh process; a cell's
    bytes don't depend on the number of workers, because every cell has ``machine.threads`` threads
    and its own seeds. Reports each finished cell on stderr.
    """
    cells = closure(targets)
    todo = [cell for cell in cells if not is_done(cell, runs)]
    summary = Summary(found=len(cells) - len(todo))
    schedule = Schedule(cells, todo)
    with _Report(len(cells), summary) as report:
        for cell in todo:
            if reason := damage(cell, runs):
                report.say(f"{cell.label} is made again: {reason}")
        if workers <= 1:
            _run_serially(schedule, runs, machine, data, report)
        else:
            _run_parallel(schedule, runs, machine, data, workers, report)
    summary.blocked = schedule.blocked
    return summary


class Schedule:
    """Which cell may run next: everything it reads is done, longest chain first."""

    def __init__(self, cells: Sequence[Cell], todo: Sequence[Cell]) -> None:
        self.waiting = {cell.key: cell for cell in todo}
        self.running: set[str] = set()
        self.lost: set[str] = set()
        self.blocked: list[str] = []
        self._rank = {cell.key: 0 for cell in cells}
        for cell in reversed(cells):
            for other in cell.inputs.values():
                self._rank[other.key] = max(self._rank[other.key], self._rank[cell.key] + 1)

    def next(self) -> Cell | None:
        """A cell whose inputs are done, or None when there is none now."""
        self._drop_blocked()
        unfinished = self.waiting.keys() | self.running
        ready = [
            cell
            for cell in self.waiting.values()
            if not any(other.key in unfinished for other in cell.inputs.values())
        ]
        if not ready:
            return None
        cell = max(ready, key=lambda c: self._rank[c.key])
        del self.waiting[cell.key]
        self.running.add(cell.key)
        return cell

    def finish(self, cell: Cell) -> None:
        """``cell`` is done."""
        self.running.discard(cell.key)

    def fail(self, cell: Cell) -> None:
        """``cell`` failed: what reads it will not run."""
        self.running.discard(cell.key)
        self.lost.add(cell.key)

    def _drop_blocked(self) -> None:
        """Cells that read a failed one; in order, so that one pass finds whole chains."""
        for key, cell in list(self.waiting.items()):
            if any(other.key in self.lost for other in cell.inputs.values()):
                del self.waiting[key]
                self.lost.add(key)
                self.blocked.append(cell.label)


def _run_serially(
    schedule: Schedule, runs: Path, machine: Machine, data: DataSource, report: "_Report"
) -> None:
    while (cell := schedule.next()) is not None:
        started = time.monotonic()
        try:
            outcome = run_cell(cell, runs, machine, data)
        except CellFailedError as error:
            schedule.fail(cell)
            report.failed(cell, error)
        else:
            schedule.finish(cell)
            report.finished(cell, outcome, time.monotonic() - started)


def _run_parallel(
    schedule: Schedule,
    runs: Path,
    machine: Machine,
    data: DataSource,
    workers: int,
    report: "_Report",
) -> None:
    context = multiprocessing.get_context("spawn")
    lines, lock = context.Value("i", 0), context.RLock()
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(lines, lock)
    )
    running: dict[Future[Outcome], tuple[Cell, float]] = {}
    try:
        while True:
            while len(running) < workers and (cell := schedule.next()) is not None:
                future = pool.submit(run_cell, cell, runs, machine, data)
                running[future] = cell, time.monotonic()
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell, started = running.pop(future)
                try:
                    outcome = future.result()
                except BrokenProcessPool as error:
                    raise BenchmarkError(
                        f"{cell.label}: its process was killed (out of memory?); run the same "
                        "command again to go on"
                    ) from error
                except CellFailedError as error:
                    schedule.fail(cell)
                    report.failed(cell, error)
                else:
                    schedule.finish(cell)
                    report.finished(cell, outcome, time.monotonic() - started)
    finally:
        if running:  # interrupted: what the workers have not recorded is taken up next time
            for process in multiprocessing.active_children():
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(lines: Any, lock: Any) -> None:
    """Give a worker its line of the terminal, and let it end at once when its parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer
    tqdm.set_lock(lock)
    with lines.get_lock():
        lines.value += 1
        use_line(lines.value)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Report:
    """One bar over all cells on a terminal, and one line per finished cell; on stderr."""

    def __init__(self, total: int, summary: Summary) -> None:
        self.total, self.summary, self.done = total, summary, summary.found
        self.bar = tqdm(total=total, initial=self.done, desc="cells", unit="cell", disable=quiet())

    def __enter__(self) -> "_Report":
        if self.done:
            self.say(f"{self.done} of {self.total} cells are done already")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def finished(self, cell: Cell, outcome: Outcome, seconds: float) -> None:
        if outcome == "made":
            self.summary.made += 1
        else:
            self.summary.found += 1
        self._count(cell, f"{seconds:.1f} s")

    def failed(self, cell: Cell, error: CellFailedError) -> None:
        self.summary.failed[cell.label] = error
        self._count(cell, f"FAILED: {error}")

    def _count(self, cell: Cell, end: str) -> None:
        self.done += 1
        self.bar.update(1)
        self.say(f"[{self.done}/{self.total}] {cell.kind} {cell.label}: {end}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.bar.write(line, file=sys.stderr)
