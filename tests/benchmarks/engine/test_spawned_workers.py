"""Workers that come up, or can't: what a script without a guard is told, and what signals do."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import util
from pathlib import Path
from types import FrameType, ModuleType

import pytest

from benchmarks.engine.cell import Cell
from benchmarks.engine.estimate import estimate
from benchmarks.engine.executor import run
from benchmarks.engine.signals import HELD
from benchmarks.engine.workers import ProcessPool
from naturalinversion.errors import UsageError
from tests.benchmarks.engine.toy_cells import DATA, MACHINE

KIND = """
import msgspec

class Recipe(msgspec.Struct):
    pass

def run(context, recipe):
    print("I am at work")
    return {"number": 1}
"""
WITHOUT_A_GUARD = """
from pathlib import Path
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import DataOptions
from benchmarks.engine.executor import run
from benchmarks.engine.machine import Machine

run([Cell("plain", "a", {})], {"plain": "plain_kind"}, Path("runs"), Machine(),
    DataOptions(Path("nowhere")), workers=2)
"""
INTERRUPTED_WHILE_IT_IMPORTS = """
import os
import signal

if __name__ == "__mp_main__":  # a worker that comes up
    os.kill(os.getpid(), signal.SIGINT)
"""
STEP = """
import os
import signal
import time
from dataclasses import dataclass

@dataclass(frozen=True)
class Step:
    number: int
    shared = False

    def seconds(self, machine):
        if not self.number:
            os.kill(os.getppid(), signal.SIGINT)
        time.sleep(1000)
        return 1.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, whose modules workers find, kind ``plain`` among them."""
    (tmp_path / "plain_kind.py").write_text(KIND)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_from(script: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two workers compute a cell, as ``script`` would: each worker imports it."""
    (folder / "script.py").write_text(script)
    main = ModuleType("__main__")
    main.__file__ = str(folder / "script.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    cells = [Cell("plain", "a", {})]
    run(cells, {"plain": "plain_kind"}, Path("runs"), MACHINE, DATA, workers=2)


@pytest.mark.timeout(300)  # a process that loads PyTorch
def test_a_script_without_a_guard_is_told_so_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        run_from(WITHOUT_A_GUARD, folder, monkeypatch)
    assert str(caught.value) == (
        "none of 2 workers came up: a script that starts workers does so below "
        'if __name__ == "__main__": only, as each of them imports it; or give it one worker'
    )
    assert caught.value.exit_code == 2
    assert capfd.readouterr() == ("", ""), "the workers say nothing"


@pytest.mark.timeout(300)
def test_ctrl_c_is_nothing_to_a_worker_that_comes_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The terminal sends it to all of them: each ended in a traceback of its imports."""
    run_from(INTERRUPTED_WHILE_IT_IMPORTS, folder, monkeypatch)
    with pytest.raises(KeyboardInterrupt):  # the command itself hears it as before
        signal.raise_signal(signal.SIGINT)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert lines[0] == "I am at work", "what a cell prints is no result"
    assert lines[1].startswith("[1/1] plain a: "), err
    assert (len(lines), out) == (2, "")


@pytest.mark.timeout(300)  # each of nine steps takes longer
def test_timing_steps_ends_with_ctrl_c(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "endless_step.py").write_text(STEP)
    step, cell = import_module("endless_step").Step, Cell("plain", "a", {})
    with pytest.raises(KeyboardInterrupt):
        estimate([cell], [cell], lambda cell: {step(n): 1 for n in range(9)}, MACHINE, 2)
    assert capfd.readouterr() == ("", "")


class Stop(BaseException):
    """What a signal's handler raises."""


@contextmanager
def stopped_by(number: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Stop

    before = signal.signal(number, stop)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.timeout(300)  # the cell takes longer
@pytest.mark.parametrize("number", HELD)
def test_a_command_that_is_stopped_has_the_last_word(
    number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker half started, when Ctrl-C, a kill or the end of --max-hours came, ended in a
    traceback below the command's own last line; a cell just begun was waited for.
    """
    spawn = util.spawnv_passfds
    begun = list[int]()

    def then_stop(*given: object) -> int:
        begun.append(spawn(*given))  # type: ignore[arg-type]
        os.kill(os.getpid(), number)
        return begun[-1]

    pool = ProcessPool(time.sleep, 2)  # type: ignore[arg-type]
    with stopped_by(number):
        monkeypatch.setattr(util, "spawnv_passfds", then_stop)
        with pytest.raises(Stop):
            pool.submit(1000)  # type: ignore[arg-type]  # seconds
        pool.close(())
    with suppress(ChildProcessError):  # nobody waits for one that was not started whole
        os.waitpid(begun[0], 0)
    assert capfd.readouterr() == ("", "")
