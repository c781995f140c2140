"""How long cells will take here: their steps timed on this machine, their schedule simulated."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from tqdm import tqdm

from benchmarks.engine.cell import Cell
from benchmarks.engine.machine import Machine, set_up_torch
from benchmarks.engine.scheduler import Scheduler
from benchmarks.engine.signals import held_while_spawning
from benchmarks.engine.step_timing import Step, StepCounts
from benchmarks.engine.workers import broken_pool, close_pool, spawn_pool
from naturalinversion.errors import BenchmarkError
from naturalinversion.named_code import raised
from naturalinversion.progress import quiet

START_SECONDS = 3.0  # a worker's first import of torch
CELL_SECONDS = 0.3  # reading inputs, writing artefacts and the record


@dataclass(frozen=True)
class Estimate:
    """``seconds`` of each cell by key, and ``wall`` seconds for all with the workers given.

    A cell whose steps can't be timed is in ``unknown`` by key, and takes no time in ``wall``.
    """

    seconds: dict[str, float]
    wall: float
    unknown: frozenset[str] = frozenset()


def estimate(
    cells: Sequence[Cell],
    todo: Sequence[Cell],
    count_steps: Callable[[Cell], StepCounts | None],
    machine: Machine,
    workers: int,
) -> Estimate:
    """Time every kind of step that ``todo`` takes, and add up; ``count_steps`` says which ones.

    Steps are timed ``workers`` at a time, so that what workers take from each other counts.
    """
    counts = {cell.key: count_steps(cell) for cell in todo}
    known = {key: steps for key, steps in counts.items() if steps is not None}
    steps = list({step: None for found in known.values() for step in found})
    times = dict(zip(steps, _time(steps, machine, workers), strict=True))
    seconds, paid = {}, set[Step]()
    for key, found in known.items():
        own = {step: count for step, count in found.items() if step not in paid}
        seconds[key] = CELL_SECONDS + sum(times[step] * count for step, count in own.items())
        paid |= {step for step in own if step.shared}
    wall = simulate(cells, todo, {key: seconds.get(key, 0.0) for key in counts}, workers)
    return Estimate(seconds, wall, frozenset(counts.keys() - known.keys()))


def _time(steps: Sequence[Step], machine: Machine, workers: int) -> list[float]:
    with tqdm(total=len(steps), desc="timing steps", unit="step", disable=quiet()) as line:
        if workers <= 1:
            times = []
            for step in steps:
                times.append(_seconds(step, machine))
                line.update(1)
            return times
        pool, started = spawn_pool(workers)
        at_work = True
        try:
            with held_while_spawning():
                futures = [pool.submit(_seconds, step, machine) for step in steps]
            for future in futures:
                future.add_done_callback(lambda _: line.update(1))
            times = [future.result() for future in futures]
            at_work = False
        except BrokenProcessPool as error:
            raise broken_pool("timing steps", started, workers) from error
        finally:
            close_pool(pool, at_work=at_work)
        return times


def _seconds(step: Step, machine: Machine) -> float:
    """Raises `BenchmarkError` where somebody's method or network calls ``sys.exit()``."""
    set_up_torch(machine)
    try:
        return step.seconds(machine)
    except SystemExit as error:
        raise BenchmarkError(f"a step can't be timed: {raised(error)}") from error


def simulate(
    cells: Sequence[Cell], todo: Sequence[Cell], seconds: Mapping[str, float], workers: int
) -> float:
    """Wall time in seconds when workers take cells in the scheduler's order.

    ``seconds`` holds the time of each cell of ``todo`` by its key.
    """
    scheduler = Scheduler(cells, todo)
    running: list[tuple[float, int, Cell]] = []
    now = START_SECONDS if todo and workers > 1 else 0.0
    number = 0
    while True:
        while len(running) < max(workers, 1) and (cell := scheduler.next()) is not None:
            number += 1
            heapq.heappush(running, (now + seconds[cell.key], number, cell))
        if not running:
            return now
        now, _, cell = heapq.heappop(running)
        scheduler.finish(cell)
