"""Run many cells: in order, several at a time where there are workers for it."""

import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.cell_runner import (
    CellFailedError,
    find_damage,
    is_done,
    remove_leftovers,
    run_cell,
    run_cell_from,
)
from benchmarks.engine.cell_status import cell_state, computed_by
from benchmarks.engine.context import DataOptions
from benchmarks.engine.kinds import Kinds
from benchmarks.engine.machine import Machine, release_cached_memory
from benchmarks.engine.scheduler import Scheduler
from benchmarks.engine.workers import Finished, InProcess, ProcessPool, Task, Workers
from naturalinversion.errors import UsageError
from naturalinversion.progress import quiet

RETRY_SECONDS = 1.0  # between two tries of cells that other processes are at work on


@dataclass(frozen=True)
class RayOptions:
    """Which Ray cluster; an empty address starts one on this machine.

    ``gpu_share`` is the fraction of a GPU that one cell occupies.
    """

    address: str = ""
    gpu_share: float = 1.0


@dataclass
class Summary:
    """Cells computed, found done, ``failed``, and ``blocked`` by a failed input, by `Cell.name`."""

    computed: int = 0
    cached: int = 0
    failed: dict[str, CellFailedError] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)


def run(
    targets: Sequence[Cell],
    kinds: Kinds,
    runs: Path,
    machine: Machine,
    data: DataOptions,
    workers: int = 1,
    ray_options: RayOptions | None = None,
    summary: Summary | None = None,
) -> Summary:
    """Compute the targets and all they need. A failed cell blocks what reads it and nothing else.

    A `UsageError` or `MissingError` is the request's, not the cell's that met it: it ends the run,
    and so does `WorkerKilledError`. A setting or teacher that one method can't work with fails its
    cell, for others may. What was finished is kept.

    Other processes may compute cells of the same ``runs``: each takes what is ready and nobody's,
    and waits for another's cell only where nothing else is left to do.
    ``kinds`` says which module computes the cells of which kind.

    With one worker cells run in this process. With more, each worker is a fresh process; with
    ``ray_options``, Ray's nodes compute them. A cell's bytes don't depend on where, because every
    cell has ``machine.threads`` threads and its own seeds. Reports each finished cell on stderr.
    What became of them is noted in ``summary`` as it happens: an error may end the run early.
    """
    summary = summary or Summary()
    cells = with_inputs(targets)
    todo = []
    for cell in cells:
        if is_done(cell, runs):
            remove_leftovers(cell, runs)
        else:
            todo.append(cell)
    summary.cached = len(cells) - len(todo)
    scheduler = Scheduler(cells, todo)
    summary.blocked = scheduler.blocked
    with _ProgressReport(len(cells), summary, runs) as report:
        for cell in todo:
            if reason := find_damage(cell, runs):
                report.say(f"{cell.label} is made again: {reason}")
        if todo:
            workers_of_run = _workers(kinds, runs, machine, data, workers, ray_options)
            _run_on(workers_of_run, scheduler, report)
    return summary


def _workers(
    kinds: Kinds,
    runs: Path,
    machine: Machine,
    data: DataOptions,
    workers: int,
    ray_options: RayOptions | None,
) -> Workers:
    if ray_options is not None:
        from benchmarks.engine.ray_workers import RayWorkers

        weights = data.inception_weights and data.inception_weights.resolve()
        elsewhere = replace(data, root=_absolute(data.root), inception_weights=weights)
        compute = partial(
            run_cell_from,
            str(Path.cwd()),
            kinds=kinds,
            runs=runs.resolve(),
            machine=machine,
            data=elsewhere,
        )
        return RayWorkers(compute, machine, ray_options.address, ray_options.gpu_share)
    compute = partial(run_cell, kinds=kinds, runs=runs, machine=machine, data=data)
    return InProcess(compute) if workers <= 1 else ProcessPool(compute, workers)


def _absolute(root: Path) -> Path:
    """A data root as it is here, where another's home or working folder may be elsewhere."""
    try:
        return root.expanduser().resolve()
    except RuntimeError as error:
        raise UsageError(f"--data-root {root}: nobody has this home folder") from error


def _run_on(workers: Workers, scheduler: Scheduler, report: "_ProgressReport") -> None:
    running: dict[Task, Cell] = {}
    try:
        while True:
            while workers.has_room(len(running)) and (cell := scheduler.next()) is not None:
                running[workers.submit(cell)] = cell
            ended: set[str] = set()
            if running:
                idle = scheduler.busy and workers.has_room(len(running))
                for task in workers.wait(running, RETRY_SECONDS if idle else None):
                    ended.add(_end(workers, task, running[task], scheduler, report))
                    del running[task]
            elif scheduler.busy:
                report.waits_for(next(iter(scheduler.busy.values())))
                time.sleep(RETRY_SECONDS)
            else:
                return
            if ended != {"busy"}:
                scheduler.retry()
    finally:
        workers.close(running)


def _end(
    workers: Workers, task: Task, cell: Cell, scheduler: Scheduler, report: "_ProgressReport"
) -> str:
    """Note what became of a cell: its status, or ``failed``."""
    try:
        finished = workers.result(task, cell)
    except CellFailedError as error:
        _release_tensors(error)
        scheduler.fail(cell)
        report.failed(cell, error)
        return "failed"
    if finished.status == "busy":
        scheduler.put_back(cell)
    else:
        scheduler.finish(cell)
        report.finished(cell, finished)
    return finished.status


def _release_tensors(error: CellFailedError) -> None:
    """Drop the failed cell's tensors from its traceback: the error is kept until the end."""
    if error.__cause__ is not None:
        traceback.clear_frames(error.__cause__.__traceback__)
        release_cached_memory()


class _ProgressReport:
    """One bar over all cells on a terminal, and one line per finished cell; on stderr."""

    def __init__(self, total: int, summary: Summary, runs: Path) -> None:
        self.total, self.summary, self.done = total, summary, summary.cached
        self.runs, self.waiting = runs, False
        self.bar = tqdm(total=total, initial=self.done, desc="cells", unit="cell", disable=quiet())

    def __enter__(self) -> "_ProgressReport":
        if self.done:
            self.say(f"{self.done} of {self.total} cells are done already")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def finished(self, cell: Cell, finished: Finished) -> None:
        if finished.status == "computed":
            self.summary.computed += 1
        else:
            self.summary.cached += 1
        self._count(cell, f"{finished.seconds:.1f} s")

    def failed(self, cell: Cell, error: CellFailedError) -> None:
        self.summary.failed[cell.name] = error
        self._count(cell, f"FAILED: {error}")

    def waits_for(self, cell: Cell) -> None:
        """Nothing is left to do but what others are at work on; said once until something ends."""
        if self.waiting or (state := cell_state(cell, self.runs)) != "at work":
            return
        self.waiting = True
        where = computed_by(cell, self.runs, state) or "another command"
        self.say(f"waiting for {cell.kind} {cell.label}, which {where} is at work on")

    def _count(self, cell: Cell, end: str) -> None:
        self.done += 1
        self.waiting = False
        self.bar.update(1)
        self.say(f"[{self.done}/{self.total}] {cell.kind} {cell.label}: {end}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.bar.write(line, file=sys.stderr)
