"""Workers that come up, or can't: what a script without a guard is told, and what Ctrl-C does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import environment

SCRIPT = """
import sys
from pathlib import Path
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import DataOptions
from benchmarks.engine.executor import run
from benchmarks.engine.machine import Machine
from naturalinversion.errors import NaturalInversionError

print("imported", flush=True)
try:
    run([Cell("toy", "a", {}, {})], {"toy": "no_module"}, Path("runs"), Machine("cpu", "fp32", 1),
        DataOptions(Path("nowhere")), workers=2)
except NaturalInversionError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
"""


def script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it as a file of its own in ``folder``."""
    (folder / "script.py").write_text(text)
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
    )


@pytest.mark.timeout(300)  # three processes that load PyTorch
def test_a_script_without_a_guard_is_told_so_in_one_line(tmp_path: Path) -> None:
    done = script(SCRIPT, tmp_path)
    lines = [line for line in done.stderr.splitlines() if line]
    assert lines == [
        "error: none of 2 workers came up: a script that starts workers does so below "
        'if __name__ == "__main__": only, as each of them imports it; or give it one worker'
    ], done.stderr
    assert done.returncode == 2


KIND = """
import msgspec

class Recipe(msgspec.Struct):
    pass

def run(context, recipe):
    print("I am at work")
    return {"number": 1}
"""
INTERRUPTED_WHILE_IT_IMPORTS = """
import os
import signal

if __name__ == "__mp_main__":  # a worker that comes up
    os.kill(os.getpid(), signal.SIGINT)

from pathlib import Path
from benchmarks.engine.cell import Cell
from benchmarks.engine.context import DataOptions
from benchmarks.engine.executor import run
from benchmarks.engine.machine import Machine

if __name__ == "__main__":
    made = run([Cell("plain", "a", {})], {"plain": "plain_kind"}, Path("runs"),
        Machine("cpu", "fp32", 1), DataOptions(Path("nowhere")), workers=2)
    os.kill(os.getpid(), signal.SIGINT)  # the command itself hears it as before
    print(made)
"""


@pytest.mark.timeout(300)
def test_ctrl_c_is_nothing_to_a_worker_that_comes_up(tmp_path: Path) -> None:
    """The terminal sends it to all of them: each ended in a traceback of its imports."""
    (tmp_path / "plain_kind.py").write_text(KIND)
    done = script(INTERRUPTED_WHILE_IT_IMPORTS, tmp_path)
    lines = done.stderr.splitlines()
    assert lines[0] == "I am at work", "what a cell prints is no result"
    assert lines[1].startswith("[1/1] plain a: "), done.stderr
    assert (lines[-1], done.stderr.count("Traceback")) == ("KeyboardInterrupt", 1), "the command's"
    assert done.stdout == ""


INTERRUPTED_TIMING = """
import os
import signal
import time
from dataclasses import dataclass
from benchmarks.engine.cell import Cell
from benchmarks.engine.estimate import estimate
from benchmarks.engine.machine import Machine

@dataclass(frozen=True)
class Step:
    number: int
    shared = False

    def seconds(self, machine):
        if not self.number:
            os.kill(os.getppid(), signal.SIGINT)
        time.sleep(1000)
        return 1.0

if __name__ == "__main__":
    cell = Cell("plain", "a", {})
    try:
        estimate([cell], [cell], lambda cell: {Step(n): 1 for n in range(9)}, Machine(), 2)
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.mark.timeout(300)  # each of nine steps takes longer
def test_timing_steps_ends_with_ctrl_c(tmp_path: Path) -> None:
    done = script(INTERRUPTED_TIMING, tmp_path)
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
    assert "Traceback" not in done.stderr


STOPPED_WHILE_IT_SPAWNS = """
import os
import signal
import time
from multiprocessing import util
from benchmarks.engine.cell import Cell
from benchmarks.engine.workers import ProcessPool

class Stop(BaseException):
    pass

def stop(number, frame):
    raise Stop

def sleep(cell):
    time.sleep(1000)

if __name__ == "__main__":
    spawn = util.spawnv_passfds
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        def then_stop(*given):
            pid = spawn(*given)
            os.kill(os.getpid(), number)
            return pid

        signal.signal(number, stop)
        pool = ProcessPool(sleep, 2)
        util.spawnv_passfds = then_stop
        try:
            pool.submit(Cell("plain", "a", {}))
        except Stop:
            print("stopped by", signal.Signals(number).name, flush=True)
        util.spawnv_passfds = spawn
        pool.close(())
"""


@pytest.mark.timeout(300)  # the cell takes longer
def test_a_command_that_is_stopped_has_the_last_word(tmp_path: Path) -> None:
    """A worker half started, when Ctrl-C, a kill or the end of --max-hours came, ended in a
    traceback below the command's own last line; a cell just begun was waited for.
    """
    done = script(STOPPED_WHILE_IT_SPAWNS, tmp_path)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.split("\n") == [
        *(f"stopped by {name}" for name in ("SIGINT", "SIGTERM", "SIGALRM")),
        "",
    ]
