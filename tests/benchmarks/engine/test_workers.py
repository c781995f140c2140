"""A worker that was killed, at work or before: whose cell it was nobody can tell."""

import sys
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from benchmarks.engine import workers
from benchmarks.engine.workers import Finished, ProcessPool, WorkerKilledError, broken_pool
from naturalinversion.errors import UsageError
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


END = (
    "its process was killed (out of memory?); run the same command again to go on, with fewer "
    "--workers if memory is short"
)


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


def main_module(name: str = "", file: str = "") -> ModuleType:
    """As `python -m name` or `python file` have it."""
    made = ModuleType("__main__")
    made.__spec__ = ModuleSpec(name, None) if name else None
    if file:
        made.__file__ = file
    return made


@pytest.mark.parametrize(
    ("main", "is_a_script"),
    [
        (main_module("benchmarks.__main__", "/here/benchmarks/__main__.py"), False),
        (main_module("benchmarks.perf.scaling", "/here/benchmarks/perf/scaling.py"), False),
        (main_module(file="/here/.venv/bin/naturalinversion"), False),
        (main_module(), False),
        (main_module(file="script.py"), True),
        (main_module("somebodys.script", "/there/somebodys/script.py"), True),
    ],
)
def test_only_a_script_is_told_to_guard_what_starts_workers(
    main: ModuleType, is_a_script: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers of a command that came to no end of their imports were killed, mostly for memory."""
    monkeypatch.setitem(sys.modules, "__main__", main)
    error = broken_pool("a", SimpleNamespace(value=0), 8)
    assert str(error).startswith("none of 8 workers came up: ")
    assert ('if __name__ == "__main__":' in str(error)) is is_a_script
    assert ("killed while starting (out of memory?)" in str(error)) is not is_a_script
    assert isinstance(error, UsageError if is_a_script else WorkerKilledError)
    assert error.exit_code == (2 if is_a_script else 1)
