"""A worker that was killed: whose cell it was nobody can tell."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.engine import workers
from benchmarks.engine.workers import Finished, ProcessPool, WorkerKilledError
from tests.benchmarks.engine.toy_cells import cell


class BrokenPool:
    """Accepts cells until it is broken, and hears of no end of theirs."""

    def __init__(self) -> None:
        self.broken = False

    def submit(self, *given: Any) -> Future[Finished]:
        if self.broken:
            raise BrokenProcessPool
        return Future()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> ProcessPool:
    """Workers, of which all have come up."""
    started = SimpleNamespace(value=3)
    monkeypatch.setattr(workers, "spawn_pool", lambda count: (BrokenPool(), started))
    return ProcessPool(lambda cell: "computed", 3)


END = "its process was killed (out of memory?); run the same command again to go on"


@pytest.mark.parametrize("asked", [0, 1])
def test_every_cell_that_was_at_work_is_named(pool: ProcessPool, asked: int) -> None:
    cells = [cell(name) for name in ("one", "two", "done")]
    *lost, done = (pool.submit(one) for one in cells)
    done.set_result(Finished("computed", 1.0))
    for task in lost:
        task.set_exception(BrokenProcessPool())
    with pytest.raises(WorkerKilledError) as caught:
        pool.result(lost[asked], cells[asked])
    assert str(caught.value) == f"one of one, two: {END}"
    assert pool.result(done, cells[2]).seconds == 1.0


def test_a_cell_that_comes_after_the_kill_is_not_blamed(pool: ProcessPool) -> None:
    pool.submit(cell("one"))
    pool.pool.broken = True  # type: ignore[attr-defined]
    with pytest.raises(WorkerKilledError) as caught:
        pool.submit(cell("two"))
    assert str(caught.value) == f"one: {END}"
