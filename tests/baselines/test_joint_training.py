"""DAFL and DFAD in bfloat16: they learn as in float32."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import METHODS
from naturalinversion import Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.precision import Precision
from naturalinversion.seeds import seeded

SETTINGS: dict[str, dict[str, Any]] = {
    "dafl": {"epochs": 3, "steps": 4, "batch_size": 12},
    "dfad": {"epochs": 3, "steps": 2, "batch_size": 12, "student_steps": 3},
}


@pytest.fixture(scope="module")
def networks() -> list[nn.Module]:
    """Teacher and student, with running statistics."""
    return [network(0), network(1)]


def network(seed: int) -> nn.Module:
    with seeded(seed):
        model = build("vgg11", 10, 0.125).train()
        with torch.no_grad():
            for _ in range(10):
                model(F.interpolate(2 * torch.randn(16, 3, 4, 4), scale_factor=4))
    return model


def losses(name: str, precision: Precision, networks: list[nn.Module]) -> dict[str, list[float]]:
    """Each term's mean per epoch."""
    small = {"latent": 16, "generator_width": 0.125}
    method = METHODS[name](**SETTINGS[name], **small)
    model, student = copy.deepcopy(networks)
    teacher = Teacher(model, num_classes=10, image_shape=(3, 16, 16), precision=precision)
    method.prepare(teacher, student, 0, Training())
    found = method.batch(torch.zeros(8, dtype=torch.int64), 0, lambda done: None)
    assert found.images.dtype == torch.float32
    return {term: course.tolist() for term, course in found.losses.items()}


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_in_bf16_student_and_generator_learn_as_in_float32(
    name: str, networks: list[nn.Module]
) -> None:
    """Each step uses the student's current weights, not weights that autocast cached."""
    full, half = (losses(name, p, networks) for p in ("fp32", "bf16"))
    assert full != half
    for term, course in full.items():
        assert half[term] == pytest.approx(course, rel=0.15, abs=0.02), term
