"""The optimised loop and the published one in plain code make the same images."""

import copy
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines import METHODS
from benchmarks.perf.joint_reference import reference_training
from benchmarks.perf.reference import reference_batch
from naturalinversion import Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.inversion.invert import InversionResult
from naturalinversion.seeds import generator, seeded
from naturalinversion.synthesis import Batch, balanced_labels
from naturalinversion.teacher.batch_norm_statistics import record_batch_norm_statistics
from tests.naturalinversion.teacher.zoo import OwnNorm

ITERATIONS, BATCH, SIZE = 4, 12, 16
SMALL = {"latent": 16, "generator_width": 0.125}
SETTINGS: dict[str, dict[str, Any]] = {"di": {}, "adi": {}, "ni": SMALL, "ni_adi": SMALL}


def network(arch: str, seed: int) -> nn.Module:
    """A small network with running statistics."""
    return copy.deepcopy(_trained(arch, seed))


@cache
def _trained(arch: str, seed: int) -> nn.Module:
    with seeded(seed):
        model = build(arch, 10, 0.125).train()
        with torch.no_grad():
            for _ in range(5):
                model(torch.randn(32, 3, SIZE, SIZE))
    return model


def both(name: str, arch: str, dtype: torch.dtype) -> tuple[Batch, InversionResult]:
    """A batch of the fast loop and of the published one."""
    model = network(arch, 0).to(dtype)
    teacher = Teacher(model, num_classes=10, image_shape=(3, SIZE, SIZE))
    method = METHODS[name](iterations=ITERATIONS, **SETTINGS[name])
    method.prepare(teacher, network("vgg11", 1).to(dtype), 0, Training())
    labels = balanced_labels(BATCH, 10, 0)
    return method.batch(labels, 0, lambda steps: None), reference_batch(method, teacher, labels, 0)


def off(found: Tensor, expected: Tensor) -> float:
    """The largest relative difference."""
    return float(((found - expected).abs() / expected.abs().clamp_min(1e-6)).max())


@pytest.mark.parametrize(
    ("name", "arch"),
    [
        ("di", "mobilenetv2"),
        ("adi", "resnet34"),
        ("ni", "resnet18"),
        ("ni_adi", "vgg11"),
    ],
)
def test_they_agree_to_the_last_digits_in_float64(name: str, arch: str) -> None:
    fast, reference = both(name, arch, torch.float64)
    assert fast.losses.keys() <= reference.losses.keys()
    assert len(fast.losses["total"]) == ITERATIONS
    for term, history in fast.losses.items():
        assert off(history.double(), reference.losses[term].double()) < 1e-6, term
    assert (fast.images - reference.images).abs().max() < 1e-6


@pytest.mark.parametrize(("name", "arch"), [("di", "resnet18"), ("ni", "resnet18")])
def test_they_agree_within_rounding_in_float32(name: str, arch: str) -> None:
    """One step to the last digits; Adam makes more of rounding where gradients vanish."""
    fast, reference = both(name, arch, torch.float32)
    for term, history in fast.losses.items():
        assert off(history[:1], reference.losses[term][:1]) < 1e-5, term
        assert off(history, reference.losses[term]) < 0.01, term
    spread = (fast.images - reference.images).square().mean().sqrt()
    assert spread < 0.05 * reference.images.std()


@pytest.mark.parametrize(
    ("name", "more", "arch", "epochs", "steps"),
    [
        ("dafl", {}, "resnet18", 2, 2),
        ("dafl", {"temperature": 4.0, "gamma": 0.5, "generator_schedule": True}, "vgg11", 2, 2),
        ("dfad", {"student_steps": 2}, "vgg11", 2, 2),
        ("dfad", {"student_steps": 2}, "mobilenetv2", 1, 1),
    ],
)
def test_joint_loops_grow_the_same_student(
    name: str, more: dict[str, Any], arch: str, epochs: int, steps: int
) -> None:
    """MobileNetV2's batch norms see maps of one pixel here: rounding doubles with every step."""
    settings = {"batch_size": 12, "latent": 8, "generator_width": 0.125, **more}
    method: Any = METHODS[name](epochs=epochs, steps=steps, milestones=(0.5,), **settings)
    model = network("vgg11", 0).double()
    teacher = Teacher(model, num_classes=10, image_shape=(3, SIZE, SIZE))
    fast, slow = (network(arch, 1).double() for _ in range(2))
    method.prepare(teacher, fast, 0, Training())
    rows = reference_training(method, teacher, slow, 0)
    for key, value in slow.state_dict().items():
        spread = float((fast.state_dict()[key] - value).abs().max())
        assert spread <= 1e-12 + 1e-5 * float(value.abs().max()), key
    for name, history in method.batch(torch.zeros(4), 0, lambda steps: None).losses.items():
        if name in rows[0]:
            parts = [rows[i : i + steps] for i in range(0, len(rows), steps)]
            means = [sum(row[name] for row in part) / steps for part in parts]
            assert history.tolist() == pytest.approx(means, rel=1e-5)


def test_a_batch_norm_of_ones_own_is_left_as_it_is() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        OwnNorm(4),
        nn.ReLU(),
        nn.BatchNorm2d(4, affine=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    teacher = Teacher(model.double(), num_classes=5, image_shape=(3, 8, 8))
    model = teacher.model
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64, generator=generator(0))
    expected = model(images)
    observed: list[Tensor] = []
    for norm in (model[1], model[3]):
        norm.register_forward_pre_hook(lambda module, inputs: observed.append(inputs[0]))
    found = teacher.observe(images, statistics=True)
    torch.testing.assert_close(found.logits, expected)
    assert len(found.statistics) == 2
    for statistics, maps in zip(found.statistics, observed, strict=True):
        torch.testing.assert_close(statistics.mean, maps.mean((0, 2, 3)))
        torch.testing.assert_close(statistics.variance, maps.var((0, 2, 3), correction=0))
    assert all("forward" not in module.__dict__ for module in model.modules())


def test_in_bf16_the_gradient_is_that_of_float32_rounded() -> None:
    teacher = Teacher(network("resnet18", 0), num_classes=10, image_shape=(3, 16, 16))
    norm = next(m for m in teacher.model.modules() if isinstance(m, nn.BatchNorm2d))
    wide = torch.randn(6, norm.num_features, 8, 8, generator=generator(0))
    maps = [wide.requires_grad_(), wide.detach().bfloat16().requires_grad_()]
    for each in maps:
        with record_batch_norm_statistics([norm]) as observed:
            out = norm(each)
        assert out.dtype == each.dtype
        assert observed[norm].mean.dtype == torch.float32
        (out.float().square().sum() + 100 * observed[norm].variance.sum()).backward()
    assert maps[1].grad is not None
    assert maps[1].grad.dtype == torch.bfloat16
    torch.testing.assert_close(maps[1].grad.float(), maps[0].grad, rtol=0.05, atol=0.05)


def test_the_gradient_of_output_and_statistics_is_right() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 2))
    with seeded(0):
        nn.init.normal_(model[0].weight)
        nn.init.normal_(model[0].bias)
    teacher = Teacher(model.double(), num_classes=2, image_shape=(3, 4, 4), smallest_stage=2)

    def run(images: Tensor) -> tuple[Tensor, ...]:
        observed = teacher.observe(images, statistics=True)
        return observed.logits, observed.statistics[0].mean, observed.statistics[0].variance

    images = torch.randn(5, 3, 4, 4, dtype=torch.float64, generator=generator(0))
    assert torch.autograd.gradcheck(run, (images.requires_grad_(),))
