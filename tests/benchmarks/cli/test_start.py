"""The command line comes up without what takes seconds to import."""

import subprocess
import sys

from tests.processes import environment

SLOW = {"matplotlib", "seaborn", "sklearn", "torchvision", "torch_fidelity", "ray"}


def test_what_draws_and_measures_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, benchmarks.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    loaded = set(done.stdout.split())
    assert {"torch", "benchmarks.cli.run"} <= loaded
    assert not loaded & (SLOW | {"scipy.stats"})
