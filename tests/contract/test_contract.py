"""The contract every method keeps, those of the suite and those from outside alike."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import laws
import pytest
from contract_methods import NAMES, small

HERE = Path(__file__).parent
LAWS = (
    laws.seeds_decide,
    laws.batches_stand_alone,
    laws.interruptions_leave_no_trace,
    laws.lost_batches_come_back,
    laws.surroundings_stay,
    laws.images_are_usable,
    laws.student_is_used_as_said,
)
pytestmark = pytest.mark.parametrize("name", NAMES)


@cache
def method(name: str) -> laws.Method:
    """One for all laws, which share its whole run."""
    return laws.Method(lambda: small(name), laws.teacher())


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_method_keeps_the_law(
    name: str, law: Callable[[laws.Method, Path], None], tmp_path: Path
) -> None:
    law(method(name), tmp_path)


@cache
def data_readers() -> dict[str, list[str]]:
    """What can read data sets among all that is loaded when each method has run, by method."""
    script = """
import json, pathlib, sys, tempfile
import benchmarks.synthesis.generate_images
import laws
from naturalinversion import synthesize
from contract_methods import NAMES, small
readers = ("benchmarks.datasets", "torchvision.datasets", "sklearn.datasets")
found = {}
for name in NAMES:
    with tempfile.TemporaryDirectory() as folder:
        synthesize(small(name), laws.teacher(), pathlib.Path(folder), batches=1, batch_size=8,
                   student=laws.student())
    found[name] = [module for module in sys.modules if module.startswith(readers)]
print(json.dumps(found))
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_no_way_to_real_data(name: str) -> None:
    """A process that runs the method, with all that runs it, never loads what reads data sets."""
    assert data_readers()[name] == []
