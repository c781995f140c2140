"""Run many cells: in order, several at a time where the machine has the cores for it."""

import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.cells import Cell, closure
from benchmarks.errors import BenchmarkError
from benchmarks.runner import KNOWN_ERRORS, is_done, run_cell
from benchmarks.work import DataSource, Machine


@dataclass
class Summary:
    """What a run did. ``failed`` maps a label to its one-line error, ``blocked`` lists who waited."""

    made: int = 0
    found: int = 0
    failed: dict[str, Exception] = field(default_factory=dict)
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
    with _Report(len(cells), summary.found) as report:
        schedule = _Schedule(cells, todo, summary)
        if workers <= 1:
            while (cell := schedule.next()) is not None:
                started = time.monotonic()
                try:
                    schedule.finish(cell, run_cell(cell, runs, machine, data))
                except KNOWN_ERRORS as error:
                    schedule.fail(cell, error)
                report.cell(cell, time.monotonic() - started, summary)
        else:
            _run_parallel(schedule, runs, machine, data, workers, report)
    return summary


class _Schedule:
    """Which cell may run next: everything it reads is done. Long chains first."""

    def __init__(self, cells: Sequence[Cell], todo: Sequence[Cell], summary: Summary) -> None:
        self.summary = summary
        self.waiting = {cell.key: cell for cell in todo}
        self.running: set[str] = set()
        self.lost: set[str] = set()
        self.rank = {cell.key: 0 for cell in cells}
        for cell in reversed(cells):
            for other in cell.inputs.values():
                self.rank[other.key] = max(self.rank[other.key], self.rank[cell.key] + 1)

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
        cell = max(ready, key=lambda c: self.rank[c.key])
        del self.waiting[cell.key]
        self.running.add(cell.key)
        return cell

    def finish(self, cell: Cell, outcome: str) -> None:
        self.running.discard(cell.key)
        if outcome == "made":
            self.summary.made += 1
        else:
            self.summary.found += 1

    def fail(self, cell: Cell, error: Exception) -> None:
        self.running.discard(cell.key)
        self.lost.add(cell.key)
        self.summary.failed[cell.label] = error

    def _drop_blocked(self) -> None:
        """Cells that read a failed one, in order, so that one pass finds whole chains."""
        for key, cell in list(self.waiting.items()):
            if any(other.key in self.lost for other in cell.inputs.values()):
                del self.waiting[key]
                self.lost.add(key)
                self.summary.blocked.append(cell.label)


def _run_parallel(
    schedule: _Schedule,
    runs: Path,
    machine: Machine,
    data: DataSource,
    workers: int,
    report: "_Report",
) -> None:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context)
    running: dict[Future[str], tuple[Cell, float]] = {}
    try:
        while True:
            while len(running) < workers and (cell := schedule.next()) is not None:
                future: Future[str] = pool.submit(run_cell, cell, runs, machine, data)
                running[future] = cell, time.monotonic()
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                cell, started = running.pop(future)
                try:
                    schedule.finish(cell, future.result())
                except BrokenProcessPool as error:
                    raise BenchmarkError(
                        f"{cell.label}: its process was killed (out of memory?); run the same "
                        "command again to go on"
                    ) from error
                except KNOWN_ERRORS as error:
                    schedule.fail(cell, error)
                report.cell(cell, time.monotonic() - started, schedule.summary)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


class _Report:
    """One bar over all cells on a terminal, one line per finished cell elsewhere; on stderr."""

    def __init__(self, total: int, found: int) -> None:
        self.total = total
        self.done = found
        self.bar = tqdm(
            total=total, initial=found, desc="cells", unit="cell", disable=not sys.stderr.isatty()
        )

    def __enter__(self) -> "_Report":
        if self.done:
            self._say(f"{self.done} of {self.total} cells are done already")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def cell(self, cell: Cell, seconds: float, summary: Summary) -> None:
        self.done += 1
        self.bar.update(1)
        error = summary.failed.get(cell.label)
        end = f"FAILED: {error}" if error else f"{seconds:.1f} s"
        self._say(f"[{self.done}/{self.total}] {cell.kind} {cell.label}: {end}")

    def _say(self, line: str) -> None:
        self.bar.write(line, file=sys.stderr)
