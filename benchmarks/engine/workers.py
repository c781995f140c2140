"""Where cells are computed: in this process, in a process pool, or on Ray (`ray_workers`)."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from tqdm import tqdm

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import CellStatus
from benchmarks.engine.signals import held_while_spawning
from naturalinversion.errors import BenchmarkError, UsageError
from naturalinversion.progress import use_line


class Finished(NamedTuple):
    """A cell that was computed, found done or left to another process, and the seconds it took."""

    status: CellStatus
    seconds: float


OURS = ("benchmarks", "naturalinversion")  # packages and console script
Task = Any  # what workers know a submitted cell by
Compute = Callable[[Cell], CellStatus]


class WorkerKilledError(BenchmarkError):
    """A worker's process ended at work; what others had finished is kept."""


class Workers(Protocol):
    """Compute cells, several at a time."""

    def has_room(self, running: int) -> bool:
        """Whether another cell may be submitted beside ``running``."""

    def submit(self, cell: Cell) -> Task:
        """Start a cell whose inputs are done."""

    def wait(self, tasks: Collection[Task], seconds: float | None = None) -> Iterator[Task]:
        """Those that have ended: at least one, or after ``seconds`` maybe none."""

    def result(self, task: Task, cell: Cell) -> Finished:
        """Its status and time. Raises `CellFailedError`."""

    def close(self, tasks: Collection[Task]) -> None:
        """Shut down; ``tasks`` are those still running, after an interruption."""


def timed(compute: Compute, cell: Cell) -> Finished:
    """Compute the cell and measure how long that took."""
    started = time.monotonic()
    return Finished(compute(cell), time.monotonic() - started)


class InProcess:
    """One cell after the other, here."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute

    def has_room(self, running: int) -> bool:
        return running == 0

    def submit(self, cell: Cell) -> Task:
        return cell.key

    def wait(self, tasks: Collection[Task], seconds: float | None = None) -> Iterator[Task]:
        return iter(list(tasks))

    def result(self, task: Task, cell: Cell) -> Finished:
        return timed(self.compute, cell)

    def close(self, tasks: Collection[Task]) -> None:
        return


class ProcessPool:
    """Fresh processes of this machine, ``count`` at a time."""

    def __init__(self, compute: Compute, count: int) -> None:
        self.compute, self.count = compute, count
        self.pool, self.started = spawn_pool(count)
        self.submitted: dict[Future[Finished], Cell] = {}

    def has_room(self, running: int) -> bool:
        return running < self.count

    def submit(self, cell: Cell) -> Task:
        try:
            with held_while_spawning():
                task = self.pool.submit(timed, self.compute, cell)
                self.submitted[task] = cell
        except BrokenProcessPool as error:
            raise self._broken() from error
        return task

    def wait(self, tasks: Collection[Task], seconds: float | None = None) -> Iterator[Task]:
        return iter(wait(tasks, seconds, return_when=FIRST_COMPLETED).done)

    def result(self, task: "Future[Finished]", cell: Cell) -> Finished:
        try:
            return task.result()
        except BrokenProcessPool as error:
            raise self._broken() from error

    def _broken(self) -> WorkerKilledError | UsageError:
        """Nobody says which worker was killed: one of those whose cells had not ended."""
        lost = [cell.label for task, cell in self.submitted.items() if not _has_ended(task)]
        named = f"one of {', '.join(lost)}" if len(lost) > 1 else "".join(lost) or "a worker"
        return broken_pool(named, self.started, self.count)

    def close(self, tasks: Collection[Task]) -> None:
        close_pool(self.pool, at_work=not all(task.done() for task in self.submitted))


def _has_ended(task: "Future[Finished]") -> bool:
    """Whether its cell came to an end of its own, whichever."""
    return task.done() and not isinstance(task.exception(), BrokenProcessPool)


def spawn_pool(count: int) -> tuple[ProcessPoolExecutor, Any]:
    """``count`` fresh processes, and a shared number of those that have come up."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A worker that comes up runs the caller's script, which asks for workers once more: the
        # process that began it says what is wrong, see `broken_pool`.
        raise SystemExit(1)
    context = multiprocessing.get_context("spawn")
    started, lock = context.Value("i", 0), context.RLock()
    pool = ProcessPoolExecutor(
        count, mp_context=context, initializer=_start_worker, initargs=(started, lock)
    )
    return pool, started


def close_pool(pool: ProcessPoolExecutor, *, at_work: bool) -> None:
    """Shut down; workers that are still ``at_work`` are ended, and what waits for them dropped."""
    if at_work:  # what the workers have not recorded is taken up next time
        for process in multiprocessing.active_children():
            process.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


def broken_pool(label: str, started: Any, count: int) -> WorkerKilledError | UsageError:
    """Why a worker ended: killed at work, or before it could begin."""
    if started.value:
        return WorkerKilledError(
            f"{label}: its process was killed (out of memory?); run the same command again to go "
            "on, with fewer --workers if memory is short"
        )
    if not _runs_a_script():
        return WorkerKilledError(
            f"none of {count} workers came up: they were killed while starting (out of memory?); "
            "run the same command again with fewer --workers"
        )
    return UsageError(
        f"none of {count} workers came up: a script that starts workers does so below "
        'if __name__ == "__main__": only, as each of them imports it; or give it one worker'
    )


def _runs_a_script() -> bool:
    """Whether somebody's script is the main module, which every worker imports: no command of ours
    and no interpreter at a terminal.
    """
    main = sys.modules["__main__"]
    if (spec := getattr(main, "__spec__", None)) is not None:  # python -m
        return spec.name.partition(".")[0] not in OURS
    file = getattr(main, "__file__", None)
    return file is not None and Path(file).stem not in OURS


def _start_worker(lines: Any, lock: Any) -> None:
    """Give a worker its line of the terminal, and let it end at once when its parent was killed.

    What its cells print is no result: it goes to stderr.
    """
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `held_while_spawning` has it until here
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
