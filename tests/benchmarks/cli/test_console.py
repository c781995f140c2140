"""Output that nobody reads to its end is no error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import environment

SCRIPT = """
import sys
from benchmarks.cli import main
from benchmarks.cli.console import print_json, print_result

class Long:
    def run(self) -> int:
        for _ in range(20):
            print_{kind}("x" * 60_000)
        return {code}

main._parse_and_execute = lambda arguments: main.execute(Long())
main.main([])
"""


@pytest.mark.parametrize(("kind", "code"), [("result", 0), ("json", 0), ("result", 1)])
def test_a_reader_that_leaves_early_changes_neither_exit_code_nor_stderr(
    kind: str, code: int, tmp_path: Path
) -> None:
    """``status | head``: the command's own code stays, a failed cell's is not hidden."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(kind=kind, code=code)],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    os.read(process.stdout.fileno(), 10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (code, b"")
