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

from naturalinversion import Teacher

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


@pytest.fixture(scope="module")
def teacher(make_teacher: Callable[..., Teacher]) -> Teacher:
    """Of all tests: no method changes it."""
    return make_teacher("vgg11")


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_method_keeps_the_law(
    name: str,
    law: Callable[[laws.Method, Path], None],
    teacher: Teacher,
    tmp_path: Path,
) -> None:
    law(laws.Method(lambda: small(name), teacher), tmp_path)


@cache
def data_readers() -> dict[str, list[str]]:
    """What can read data sets among all that is loaded when each method has run, by method."""
    script = """
import json, pathlib, sys, tempfile
import benchmarks.synthesis.generate_images
from naturalinversion import Teacher, synthesize
from naturalinversion.classifiers import build
from contract_methods import NAMES, small
teacher = Teacher(build("vgg11", 4, 0.0625), num_classes=4, image_shape=(3, 16, 16))
readers = ("benchmarks.datasets", "torchvision.datasets", "sklearn.datasets")
found = {}
for name in NAMES:
    with tempfile.TemporaryDirectory() as folder:
        synthesize(small(name), teacher, pathlib.Path(folder), batches=1, batch_size=8,
                   student=build("vgg11", 4, 0.0625))
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
