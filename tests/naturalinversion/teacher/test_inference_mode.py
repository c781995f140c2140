"""A pass in inference mode, an evaluation say, leaves a teacher that can be inverted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines.cmi import CMI
from baselines.deep_inversion import DeepInversion
from naturalinversion import Teacher, synthesize
from naturalinversion.seeds import seeded
from naturalinversion.teacher.winograd import MIN_CHANNELS
from tests.baselines.bank_methods import cmi, student
from tests.naturalinversion.teacher.emulated_kernels import emulated

pytestmark = pytest.mark.filterwarnings("ignore::naturalinversion.errors.NaturalInversionWarning")
SHAPE = (3, 8, 8)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with emulated(monkeypatch):
        yield


def teacher(channels: int, **more: Any) -> Teacher:
    with seeded(0):
        layers = [nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4))
        model = nn.Sequential(*layers, *head).train()
        with torch.no_grad():
            model(torch.randn(8, *SHAPE))
    return Teacher(model, num_classes=4, image_shape=SHAPE, **more)


def gradient(of: Teacher) -> Tensor:
    with seeded(1):
        images = torch.randn(8, *SHAPE, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=of.precision == "bf16"):
        seen = of.observe(images, statistics=True)
        (of(images).float().sum() + seen.logits.float().sum() + seen.bn_statistics()).backward()
    assert images.grad is not None
    return images.grad


def used_in_inference_mode(of: Teacher) -> Teacher:
    """After two passes, the second of other weights."""
    with torch.inference_mode():
        for factor in (2.0, 0.5):
            next(of.model.parameters()).mul_(factor)
            of(torch.randn(8, *SHAPE))
            of.observe(torch.randn(8, *SHAPE), statistics=True)
        of.refresh()
    return of


def test_winograds_kernels_can_be_used_afterwards() -> None:
    expected = gradient(teacher(MIN_CHANNELS))
    assert torch.equal(gradient(used_in_inference_mode(teacher(MIN_CHANNELS))), expected)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_a_gpu_caches_can_be_used_and_updated_afterwards(
    precision: str, kernels: None
) -> None:
    expected = gradient(teacher(8, precision=precision))
    used = used_in_inference_mode(teacher(8, precision=precision))
    assert torch.equal(gradient(used), expected)
    next(used.model.parameters()).mul_(2)
    used.refresh()
    assert not torch.equal(gradient(used), expected)


@pytest.mark.parametrize("name", ["di", "cmi"])
def test_a_call_in_inference_mode_leaves_the_teacher_to_the_next(
    name: str, kernels: None, tmp_path: Path
) -> None:
    """What it does before and after its batches counts as well."""

    def method() -> DeepInversion | CMI:
        return DeepInversion(iterations=1) if name == "di" else cmi()

    used, trained = teacher(8), student()
    with torch.inference_mode():
        synthesize(method(), used, tmp_path / "a", batches=1, batch_size=8, student=trained)
    made = synthesize(method(), used, tmp_path / "b", batches=1, batch_size=8, student=student())
    fresh = synthesize(
        method(), teacher(8), tmp_path / "c", batches=1, batch_size=8, student=student()
    )
    assert torch.equal(made.tensors()[0], fresh.tensors()[0])


def test_agreement_is_counted_in_the_teachers_own_precision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[torch.dtype] = []
    passes = Teacher.__call__

    def noted(self: Teacher, images: Tensor) -> Tensor:
        logits = passes(self, images)
        seen.append(logits.dtype)
        return logits

    monkeypatch.setattr(Teacher, "__call__", noted)
    with torch.autocast("cpu", torch.bfloat16):
        synthesize(DeepInversion(iterations=1), teacher(8), tmp_path, batches=1, batch_size=8)
    assert seen
    assert set(seen) == {torch.float32}
