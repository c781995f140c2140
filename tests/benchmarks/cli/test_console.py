"""stdout is the result alone; output that nobody reads to its end or can print is no error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.command_line import here
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


@pytest.mark.parametrize(("kind", "code"), [("json", 0), ("result", 1)])
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


NOISY = """
print("I am imported")

from baselines.noise import Noise

class Noisy(Noise):
    pass
"""
PRINTING = """
import sys
from benchmarks.cli import main
from benchmarks.cli.console import print_json, print_result

class Loud:
    def run(self) -> int:
        {body}
        return 0

main._parse_and_execute = lambda arguments: main.execute(Loud())
main.main([])
"""


def test_stdout_is_the_result_in_letters_that_its_encoding_has(tmp_path: Path) -> None:
    body = 'print("noise"); print_result("90.1 \u2026 \xb1 0.2"); print_json([1])'
    done = subprocess.run(
        [sys.executable, "-c", PRINTING.format(body=body)],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING="latin-1"),
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"noise\n"), "what others print"
    assert done.stdout == b"90.1 \\u2026 \xb1 0.2\n[\n  1\n]\n"


def test_a_method_that_prints_when_it_is_imported_leaves_json_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "noisy_method.py").write_text(NOISY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = "noisy_method:Noisy"
    code, out, err = here(capfd, "status", "table5", "--methods", name, "--json")
    assert (code, err) == (0, "I am imported\n")
    assert json.loads(out)
