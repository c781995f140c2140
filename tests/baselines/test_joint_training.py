"""DAFL and DFAD: they learn in bfloat16 as in float32, and are resumed with any student."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    return {term: history.tolist() for term, history in found.losses.items()}


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_in_bf16_student_and_generator_learn_as_in_float32(
    name: str, networks: list[nn.Module]
) -> None:
    """Each step uses the student's current weights, not weights that autocast cached."""
    full, half = (losses(name, p, networks) for p in ("fp32", "bf16"))
    assert full != half
    for term, history in full.items():
        assert half[term] == pytest.approx(history, rel=0.15, abs=0.02), term


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_images_have_the_labels_that_the_teacher_gives_them_whatever_is_asked(
    name: str, networks: list[nn.Module]
) -> None:
    method = METHODS[name](**SETTINGS[name], latent=16, generator_width=0.125)
    teacher = Teacher(networks[0], num_classes=10, image_shape=(3, 16, 16))
    method.prepare(teacher, copy.deepcopy(networks[1]), 0, Training())
    for asked in (0, 1):
        labels = torch.full((24,), asked)
        found = method.batch(labels, 0, lambda done: None)
        with torch.no_grad():
            assert torch.equal(found.labels, teacher(found.images).argmax(dim=1))


class Counts(nn.Module):
    """A student that keeps how often it was called, in evaluation as well."""

    passes: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        logits: Tensor = self.model(images)
        return logits


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_a_resumed_training_ends_with_the_buffers_of_a_whole_one(
    name: str, networks: list[nn.Module]
) -> None:
    teacher = Teacher(networks[0], num_classes=10, image_shape=(3, 16, 16))
    saved: list[dict[str, Any]] = []
    ends = []
    for restore in (lambda: None, lambda: saved[0]):
        student = Counts(copy.deepcopy(networks[1]))
        method = METHODS[name](**SETTINGS[name], latent=16, generator_width=0.125)
        keep = Training(save=lambda state: saved.append(copy.deepcopy(state)), restore=restore)
        method.prepare(teacher, student, 0, keep)
        ends.append(student.state_dict())
    for key, tensor in ends[0].items():
        assert torch.equal(tensor, ends[1][key]), key
