"""Benchmarks that measure ratios: what they print, and when a ratio that got worse fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.perf.ratios import markdown
from tests.processes import ROOT, environment

BENCHMARK = """
import pytest
from benchmarks.perf.ratio_clock import Comparison

def test_it(benchmark):
    lines = []
    rounds = iter([(9.0, 9.0), (2.0, {fast}), (4.0, 2 * {fast}), (6.0, 3 * {fast})])
    assert Comparison(benchmark, "it", lines).turns(lambda: next(rounds), 3) == {ratio}
    assert lines == [("it", "{ratio:.2f} (of 3 rounds {ratio:.2f} to {ratio:.2f})")]
"""


def bench(folder: Path, fast: float, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark whose fast way takes ``fast`` where the slow one takes 2."""
    (folder / "test_it.py").write_text(BENCHMARK.format(fast=fast, ratio=2 / fast))
    command = [sys.executable, "-m", "pytest", "-q", "test_it.py", "--benchmark-only"]
    command += ["--benchmark-timer=benchmarks.perf.ratio_clock.clock", *arguments]
    settings = {k: v for k, v in environment().items() if not k.startswith("PYTEST_")}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a ratio of two, in the folder of its benchmark."""
    folder = tmp_path_factory.mktemp("kept")
    done = bench(folder, 1.0, "--benchmark-json=kept.json")
    assert done.returncode == 0, done.stdout
    return folder / "kept.json"


def test_the_kept_file_has_the_ratio(kept: Path) -> None:
    (found,) = json.loads(kept.read_text())["benchmarks"]
    assert found["stats"]["median"] == pytest.approx(0.5)
    assert found["extra_info"]["ratio"] == 2.0


@pytest.mark.parametrize(("fast", "fails"), [(0.5, False), (1.25, False), (1.6, True)])
def test_a_ratio_that_is_worse_than_the_kept_one_fails(
    fast: float, fails: bool, kept: Path
) -> None:
    compare = ("--benchmark-compare=kept.json", "--benchmark-compare-fail=median:30%")
    done = bench(kept.parent, fast, *compare)
    assert ("Performance has regressed" in done.stdout + done.stderr) is fails
    assert (done.returncode != 0) is fails


def test_the_ratios_in_the_docs_are_the_kept_ones() -> None:
    text = (ROOT / "docs" / "speed.md").read_text()
    shown = text.partition("<!-- ratios: begin -->\n")[2].partition("<!-- ratios: end -->")[0]
    assert shown == markdown()
    assert shown.count("|") > 100
