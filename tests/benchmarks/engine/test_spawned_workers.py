"""Workers that can't come up: what a script without a guard for its main part is told."""

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


@pytest.mark.timeout(300)  # three processes that load PyTorch
def test_a_script_without_a_guard_is_told_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stderr.splitlines() if line]
    assert lines == [
        "error: none of 2 workers came up: a script that starts workers does so below "
        'if __name__ == "__main__": only, as each of them imports it; or give it one worker'
    ], done.stderr
    assert done.returncode == 2
