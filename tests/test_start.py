"""What importing the library loads, and what the command line does before it has work."""

import subprocess
import sys

import pytest

from tests.bare_machine import LIGHT, modules_without
from tests.processes import environment

SLOW = {"matplotlib", "seaborn", "sklearn", "torchvision", "torch_fidelity", "ray"}
CODE = """
import sys
import naturalinversion, baselines
print(*sys.modules)
import benchmarks.cli.main
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def loaded() -> list[set[str]]:
    """The modules that the library loads, and those that are there when the commands are, too."""
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
    return [{*line.split()} for line in done.stdout.splitlines()]


def test_importing_the_library_imports_nothing_of_the_harness(loaded: list[set[str]]) -> None:
    """Not even where it is installed: a user's own start-up is not made slower."""
    packages = {name.partition(".")[0] for name in loaded[0]}
    assert {"torch", "naturalinversion", "baselines"} <= packages
    assert not packages & (modules_without(LIGHT) | {"benchmarks", "reports"})


def test_what_draws_and_measures_is_not_loaded_before_it_is_needed(loaded: list[set[str]]) -> None:
    assert {"torch", "benchmarks.cli.run"} <= loaded[1]
    assert not loaded[1] & (SLOW | {"scipy.stats"})
