"""Several commands over one runs folder: each takes what is nobody's, no cell is made twice."""

import os
import platform
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from benchmarks.engine import executor, workers
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_status import cell_state
from benchmarks.engine.context import CellContext
from benchmarks.engine.executor import Summary
from tests.benchmarks.engine.toy_cells import DATA, KINDS, MACHINE, Toys, cell

SECONDS = 60  # after which an event that a test waits for will not come any more


def run(cells: list[Cell], runs: Path) -> Summary:
    return executor.run(cells, KINDS, runs, MACHINE, DATA)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a command has found that nothing but another's cell is left."""
    happened = threading.Event()

    def state(cell: Cell, runs: Path) -> str:
        found = cell_state(cell, runs)
        happened.set()
        return found

    monkeypatch.setattr(executor, "cell_state", state)
    monkeypatch.setattr(executor, "RETRY_SECONDS", 0.02)
    return happened


def beside(
    first: list[Cell], second: list[Cell], toys: Toys, runs: Path, go_on: Callable[[], bool]
) -> list[Summary]:
    """What a command finds, and another that begins while the first is at work on its cell ``a``.

    That one goes on when ``go_on`` returns.
    """
    other = list[Summary]()
    thread = threading.Thread(target=lambda: other.append(run(second, runs)))

    def wait(context: CellContext) -> None:
        thread.start()
        assert go_on(), "the other command stands still"

    toys.behaviour["a"] = wait
    try:
        own = run(first, runs)
    finally:
        thread.join(SECONDS)
    return [own, *other]


def test_two_commands_share_the_work(
    toys: Toys, waits: threading.Event, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cells = [cell(label, number) for number, label in enumerate("abcd")]
    top = cell("top", 9, **{one.label: one for one in cells})
    own, other = beside([top], [top], toys, tmp_path, lambda: waits.wait(SECONDS))
    assert sorted(toys.ran) == ["a", "b", "c", "d", "top"], "each once"
    assert own.computed >= 1
    assert other.computed >= 3, "all that was ready while a was at work"
    assert own.computed + own.cached == other.computed + other.cached == 5
    here = f"{platform.node()}, process {os.getpid()}"
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("waiting")]
    assert said[0] == f"waiting for toy a, which {here} is at work on"


def test_a_cell_that_two_commands_call_otherwise_is_made_once(
    toys: Toys, waits: threading.Event, tmp_path: Path
) -> None:
    own, other = beside([cell("a")], [cell("z")], toys, tmp_path, lambda: waits.wait(SECONDS))
    assert toys.ran == ["a"]
    assert (own.computed, other.cached) == (1, 1)


def test_the_cell_of_a_command_that_gave_up_is_taken_over(
    toys: Toys, waits: threading.Event, tmp_path: Path
) -> None:
    one, two = cell("a", 1), cell("b", 2)

    def give_up() -> bool:
        assert waits.wait(SECONDS)
        toys.behaviour.clear()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        beside([one], [two, one], toys, tmp_path, give_up)
    assert toys.ran == ["a", "b", "a"]
    assert cell_state(one, tmp_path) == "done"


def test_a_cell_that_another_process_holds_keeps_no_worker_waiting(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, threads here."""
    pool = ThreadPoolExecutor(2), SimpleNamespace(value=2)
    monkeypatch.setattr(workers, "spawn_pool", lambda count: pool)
    monkeypatch.setattr(executor, "RETRY_SECONDS", 0.02)
    cells = [cell(label, number) for number, label in enumerate("abc")]
    folder = cells[0].folder(tmp_path)
    folder.mkdir(parents=True)
    lock, lines = FileLock(folder / ".lock"), list[str]()

    def let_go(line: str, **_: object) -> None:
        lines.append(line)
        if line.startswith("waiting"):
            lock.release()

    monkeypatch.setattr(executor.tqdm, "write", staticmethod(let_go))
    with lock:
        found = executor.run(cells, KINDS, tmp_path, MACHINE, DATA, workers=2)
    assert (found.computed, found.cached) == (3, 0)
    assert sorted(line.split(":")[0][6:] for line in lines[:2]) == ["toy b", "toy c"]
    assert lines[2].startswith("waiting for toy a, which ")
    assert lines[3].startswith("[3/3] toy a: ")
    assert len(lines) == 4
