"""Who makes cells: this process, processes of this machine, or many (`ray_workers`)."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple, Protocol

from tqdm import tqdm

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import Outcome
from naturalinversion.errors import BenchmarkError
from naturalinversion.progress import use_line


class Done(NamedTuple):
    """A cell that was made or found, and in how many seconds."""

    outcome: Outcome
    seconds: float


Task = Any  # what workers know a submitted cell by
Make = Callable[[Cell], Outcome]


class Workers(Protocol):
    """Make cells, several at a time."""

    def has_room(self, running: int) -> bool:
        """Whether another cell may be submitted beside ``running``."""

    def submit(self, cell: Cell) -> Task:
        """Begin a cell whose inputs are done."""

    def wait(self, tasks: Collection[Task]) -> Iterator[Task]:
        """Those that have ended, at least one."""

    def result(self, task: Task, cell: Cell) -> Done:
        """What came of it. Raises `CellFailedError`."""

    def close(self, tasks: Collection[Task]) -> None:
        """Let go of everything; ``tasks`` are those still running, after an interruption."""


def timed(make: Make, cell: Cell) -> Done:
    """Make the cell and say how long that took."""
    started = time.monotonic()
    return Done(make(cell), time.monotonic() - started)


class ThisProcess:
    """One cell after the other, here."""

    def __init__(self, make: Make) -> None:
        self.make = make

    def has_room(self, running: int) -> bool:
        return running == 0

    def submit(self, cell: Cell) -> Task:
        return cell.key

    def wait(self, tasks: Collection[Task]) -> Iterator[Task]:
        return iter(list(tasks))

    def result(self, task: Task, cell: Cell) -> Done:
        return timed(self.make, cell)

    def close(self, tasks: Collection[Task]) -> None:
        return


class Processes:
    """Fresh processes of this machine, ``count`` at a time."""

    def __init__(self, make: Make, count: int) -> None:
        self.make, self.count = make, count
        context = multiprocessing.get_context("spawn")
        lines, lock = context.Value("i", 0), context.RLock()
        self.pool = ProcessPoolExecutor(
            count, mp_context=context, initializer=_start_worker, initargs=(lines, lock)
        )

    def has_room(self, running: int) -> bool:
        return running < self.count

    def submit(self, cell: Cell) -> Task:
        return self.pool.submit(timed, self.make, cell)

    def wait(self, tasks: Collection[Task]) -> Iterator[Task]:
        return iter(wait(tasks, return_when=FIRST_COMPLETED).done)

    def result(self, task: "Future[Done]", cell: Cell) -> Done:
        try:
            return task.result()
        except BrokenProcessPool as error:
            raise BenchmarkError(
                f"{cell.label}: its process was killed (out of memory?); run the same command "
                "again to go on"
            ) from error

    def close(self, tasks: Collection[Task]) -> None:
        if tasks:  # what the workers have not recorded is taken up next time
            for process in multiprocessing.active_children():
                process.terminate()
        self.pool.shutdown(wait=True, cancel_futures=True)


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
