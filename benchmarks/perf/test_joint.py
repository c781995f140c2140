"""One step of the joint methods against the published one, in the same run."""

from typing import Any

import pytest
from torch import nn

from baselines import METHODS
from benchmarks.perf.joint_reference import reference_training
from benchmarks.perf.networks import teacher
from benchmarks.perf.ratio_clock import Comparison
from naturalinversion import Training
from naturalinversion.classifiers import build

DEMO: dict[str, dict[str, Any]] = {"dafl": {"steps": 4, "batch_size": 64}, "dfad": {"steps": 2}}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("student", ["resnet18", "vgg11", "mobilenetv2"])
@pytest.mark.parametrize("of", ["resnet34", "vgg11"])
@pytest.mark.parametrize("name", list(DEMO))
def test_demo_step(name: str, of: str, student: str, compare: Comparison) -> None:
    """The demo's width, image size and batch."""
    settings = {"epochs": 1, "batch_size": 48, "latent": 64, "generator_width": 0.25, **DEMO[name]}
    method: Any = METHODS[name](**settings)
    frozen = teacher(of, 0.125, 16)

    def fresh() -> nn.Module:
        return build(student, 10, 0.125)

    compare(
        lambda: reference_training(method, frozen, fresh(), 0),
        lambda: method.prepare(frozen, fresh(), 0, Training()),
    )
