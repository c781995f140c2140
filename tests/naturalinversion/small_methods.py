"""Inversion methods at a size that a captured step can be tested with, in float64."""

import copy
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from baselines import METHODS
from naturalinversion import Batch, Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.classifiers.vgg import VGG
from naturalinversion.inversion.method import InversionMethod
from naturalinversion.precision import Precision
from naturalinversion.seeds import seeded
from naturalinversion.synthesis import balanced_labels

LABELS = balanced_labels(6, 10, 0)
ITERATIONS = 3
SMALL = {"latent": 16, "generator_width": 0.125}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("di", {}),
    ("di", {"keep": "best", "schedule": "cosine"}),
    ("adi", {"plateau": 0.3}),
    ("ni", {}),
    ("ni", {"keep": "last", "schedule": "cosine"}),
    ("ni", {"feature_gradient": True}),
    ("ni", {"pyramid": False, "channel_scaling": False}),
    ("ni_adi", {}),
    ("ni", {"feature_gradient": True, "one_to_one": False, "shared_latents": "once"}),
]


def network(arch: str, seed: int) -> nn.Module:
    """A narrow one with running statistics, in float64 and eval mode."""
    return copy.deepcopy(_trained(arch, seed))


def vgg5() -> nn.Module:
    """The library's VGG with two convolutions."""
    return VGG(((64,), (128,)), 10, 0.125)


@cache
def _trained(arch: str, seed: int) -> nn.Module:
    with seeded(seed):
        model = vgg5() if arch == "vgg5" else build(arch, 10, 0.125)
        model.double().train()
        with torch.no_grad():
            for _ in range(5):
                noise = torch.randn(16, 3, 4, 4, dtype=torch.float64)
                model(F.interpolate(2 * noise, scale_factor=4))
    return model.eval()


def teacher(arch: str = "vgg5", precision: Precision = "fp32") -> Teacher:
    """In float64, but for the narrower precisions."""
    model = network(arch, 0)
    if precision != "fp32":
        model = model.float()
    return Teacher(model, num_classes=10, image_shape=(3, 16, 16), precision=precision)


def prepared(
    name: str, settings: dict[str, Any], arch: str = "vgg5", precision: Precision = "fp32"
) -> InversionMethod:
    """The method, ready to make batches."""
    sizes = SMALL | {"shared_batch": len(LABELS)} if name.startswith("ni") else {}
    method = METHODS[name](**{"iterations": ITERATIONS, **sizes, **settings})
    assert isinstance(method, InversionMethod)
    student = network(arch, 1)
    method.prepare(  # type: ignore[attr-defined]
        teacher(arch, precision), student if precision == "fp32" else student.float(), 0, Training()
    )
    return method


def batch(method: Any, seed: int = 0) -> Batch:
    """The method's batch with this seed."""
    made: Batch = method.batch(LABELS.roll(seed), seed, lambda done: None)
    return made


def assert_close(one: Batch, other: Batch) -> None:
    """Equal up to rounding."""
    torch.testing.assert_close(one.images, other.images, rtol=1e-6, atol=1e-8)
    assert one.losses.keys() == other.losses.keys()
    for term, history in one.losses.items():
        torch.testing.assert_close(history, other.losses[term], rtol=1e-6, atol=1e-9, msg=term)


def assert_identical(one: Batch, other: Batch) -> None:
    """Equal in every bit."""
    assert torch.equal(one.images, other.images)
    assert one.losses.keys() == other.losses.keys()
    for term, history in one.losses.items():
        assert torch.equal(history, other.losses[term]), term
