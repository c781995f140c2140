"""Run many cells: in order, several at a time where there are workers for it."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.cell_runner import CellFailedError, damage, is_done, run_cell
from benchmarks.engine.context import DataSource, Machine
from benchmarks.engine.kinds import Kinds
from benchmarks.engine.memory import give_back
from benchmarks.engine.scheduler import Schedule
from benchmarks.engine.workers import Done, Processes, Task, ThisProcess, Workers
from naturalinversion.progress import quiet


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster; an empty address begins one on this machine."""

    address: str = ""
    gpu_share: float = 1.0


@dataclass
class Summary:
    """What a run did: ``failed`` by label, and ``blocked``, who needed what failed."""

    made: int = 0
    found: int = 0
    failed: dict[str, CellFailedError] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)


def run(
    targets: Sequence[Cell],
    kinds: Kinds,
    runs: Path,
    machine: Machine,
    data: DataSource,
    workers: int = 1,
    cluster: Cluster | None = None,
) -> Summary:
    """Make the targets and all they need. A failed cell blocks what reads it and nothing else.

    ``kinds`` says which module makes the cells of which kind.

    With one worker cells run in this process. With more, each worker is a fresh process; with a
    ``cluster``, Ray's nodes make them. A cell's bytes don't depend on who does, because every cell
    has ``machine.threads`` threads and its own seeds. Reports each finished cell on stderr.
    """
    cells = with_inputs(targets)
    todo = [cell for cell in cells if not is_done(cell, runs)]
    summary = Summary(found=len(cells) - len(todo))
    schedule = Schedule(cells, todo)
    with _Report(len(cells), summary) as report:
        for cell in todo:
            if reason := damage(cell, runs):
                report.say(f"{cell.label} is made again: {reason}")
        if todo:
            workers_of_run = _workers(kinds, runs, machine, data, workers, cluster)
            _run_on(workers_of_run, schedule, report)
    summary.blocked = schedule.blocked
    return summary


def _workers(
    kinds: Kinds,
    runs: Path,
    machine: Machine,
    data: DataSource,
    workers: int,
    cluster: Cluster | None,
) -> Workers:
    if cluster is not None:
        from benchmarks.engine.ray_workers import RayWorkers

        weights = data.inception_weights and data.inception_weights.resolve()
        elsewhere = replace(data, root=data.root.resolve(), inception_weights=weights)
        make = partial(run_cell, kinds=kinds, runs=runs.resolve(), machine=machine, data=elsewhere)
        return RayWorkers(make, machine, cluster.address, cluster.gpu_share)
    make = partial(run_cell, kinds=kinds, runs=runs, machine=machine, data=data)
    return ThisProcess(make) if workers <= 1 else Processes(make, workers)


def _run_on(workers: Workers, schedule: Schedule, report: "_Report") -> None:
    running: dict[Task, Cell] = {}
    try:
        while True:
            while workers.has_room(len(running)) and (cell := schedule.next()) is not None:
                running[workers.submit(cell)] = cell
            if not running:
                return
            for task in workers.wait(running):
                cell = running[task]
                try:
                    done = workers.result(task, cell)
                except CellFailedError as error:
                    _let_go(error)
                    schedule.fail(cell)
                    report.failed(cell, error)
                else:
                    schedule.finish(cell)
                    report.finished(cell, done)
                del running[task]
    finally:
        workers.close(running)


def _let_go(error: CellFailedError) -> None:
    """Of what the failed cell held, a device's memory too: the error is kept until the end."""
    if error.__cause__ is not None:
        traceback.clear_frames(error.__cause__.__traceback__)
        give_back()


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

    def finished(self, cell: Cell, done: Done) -> None:
        if done.outcome == "made":
            self.summary.made += 1
        else:
            self.summary.found += 1
        self._count(cell, f"{done.seconds:.1f} s")

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
