"""Time one optimisation iteration of each inversion method, beside one look at the teacher.

The look (a forward pass and its gradient to the images) is what no method can do without; every
result carries its ratio to it, taken in the same run.
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from baselines import METHODS
from naturalinversion import Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.synthesis import balanced_labels

BATCH, ITERATIONS = 64, 5
NARROW = {"latent": 128, "generator_width": 0.25}  # the demo's generator


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Two threads on a busy machine take turns waiting for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    """ResNet-34 at the width and image size of the demo."""
    return Teacher(build("resnet34", 10, 0.125), num_classes=10, image_shape=(3, 16, 16))


def look(teacher: Teacher) -> float:
    """Median seconds of one forward and backward pass through the teacher."""
    images = torch.randn(BATCH, *teacher.image_shape, requires_grad=True)
    seconds = []
    for _ in range(2 * ITERATIONS):
        started = time.perf_counter()
        teacher(images).sum().backward()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


@pytest.mark.parametrize(("name", "settings"), [("di", {}), ("ni", NARROW)])
def test_iteration(
    name: str, settings: dict[str, Any], teacher: Teacher, benchmark: BenchmarkFixture
) -> None:
    """One iteration of the method, as a multiple of one look."""
    method = METHODS[name](iterations=ITERATIONS, **settings)
    method.prepare(teacher, None, 0, Training())
    labels = balanced_labels(BATCH, 10, 0)
    benchmark.pedantic(
        method.batch, args=(labels, 0, lambda steps: None), rounds=3, warmup_rounds=1
    )
    per_iteration = benchmark.stats.stats.median / ITERATIONS
    benchmark.extra_info["looks_per_iteration"] = round(per_iteration / look(teacher), 2)
