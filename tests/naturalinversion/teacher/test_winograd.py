"""Convolutions by fewer multiplications are the same convolutions."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization

from baselines.deep_inversion import DeepInversion
from benchmarks.perf.reference import reference_batch
from naturalinversion import Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.errors import TeacherError
from naturalinversion.seeds import seeded
from naturalinversion.synthesis import balanced_labels
from naturalinversion.teacher.winograd import (
    _BACK_2D,
    MIN_CHANNELS,
    WinogradConvolutions,
    convolve,
    transformed,
)
from tests.naturalinversion.teacher.zoo import StandardisedConv


def maps(count: int, channels: int, side: int, dtype: torch.dtype = torch.float32) -> Tensor:
    with seeded(0):
        made = torch.randn(count, channels, side, side, dtype=dtype)
    return made.contiguous(memory_format=torch.channels_last)


def convolution(bias: bool = False, *, padding: int = 1, side: int = 3) -> nn.Conv2d:
    with seeded(1):
        made = nn.Conv2d(MIN_CHANNELS, MIN_CHANNELS, side, padding=padding, bias=bias)
    return made.requires_grad_(False)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of the maps convolved by Winograd's algorithm."""
    shapes: list[tuple[int, ...]] = []

    def run(images: Tensor, kernels: Tensor, *, rotated: bool = False) -> Tensor:
        shapes.append(tuple(images.shape))
        return convolve(images, kernels, rotated=rotated)

    monkeypatch.setattr("naturalinversion.teacher.winograd.convolve", run)
    return shapes


@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 2, 2), (40, 300, 8)])
def test_it_is_the_convolution(shape: tuple[int, int, int]) -> None:
    count, channels, side = shape
    images = maps(count, channels, side)
    with seeded(2):
        weight = torch.randn(7, channels, 3, 3) / (3 * channels**0.5)
    expected = F.conv2d(images.double(), weight.double(), padding=1)
    found = convolve(images, transformed(weight))
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("bias", [False, True])
def test_maps_and_gradients_are_those_of_the_layer(
    bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(monkeypatch)
    layer, images = convolution(bias), maps(5, MIN_CHANNELS, 8)
    with seeded(3):
        upstream = torch.randn_like(images)
    results = []
    for fast in (False, True):
        leaf = images.clone().requires_grad_()
        if fast:
            with WinogradConvolutions(layer).enabled():
                out = layer(leaf)
        else:
            out = layer(leaf)
        results.append((out, *torch.autograd.grad(out, leaf, upstream)))
    assert seen == [tuple(images.shape)] * 2, "one pass and its gradient"
    for direct, found in zip(*results, strict=True):
        assert (direct - found).abs().max() < 2e-5


LEFT_ALONE: dict[str, tuple[Callable[[], nn.Conv2d], Callable[[], Tensor]]] = {
    "odd maps": (convolution, lambda: maps(9, MIN_CHANNELS, 7)),
    "large maps": (convolution, lambda: maps(1, MIN_CHANNELS, 16)),
    "few maps": (convolution, lambda: maps(1, MIN_CHANNELS, 4)),
    "float64": (lambda: convolution().double(), lambda: maps(5, MIN_CHANNELS, 8, torch.float64)),
    "weights in training": (
        lambda: convolution().requires_grad_(),
        lambda: maps(5, MIN_CHANNELS, 8),
    ),
    "no padding": (lambda: convolution(padding=0), lambda: maps(5, MIN_CHANNELS, 8)),
    "weights changed on the way": (
        lambda: StandardisedConv(MIN_CHANNELS, MIN_CHANNELS, 3, padding=1).requires_grad_(False),
        lambda: maps(5, MIN_CHANNELS, 8),
    ),
    "1x1": (lambda: convolution(side=1, padding=0), lambda: maps(5, MIN_CHANNELS, 8)),
}


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_whatever_does_not_fit_goes_the_ordinary_way(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(monkeypatch)
    make, images = LEFT_ALONE[case]
    layer = make()
    with WinogradConvolutions(layer).enabled():
        out = layer(images())
    assert not seen
    assert torch.equal(out, layer(images()))


def test_bfloat16_goes_the_ordinary_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counted(monkeypatch)
    layer = convolution()
    with WinogradConvolutions(layer).enabled(), torch.autocast("cpu", torch.bfloat16):
        layer(maps(5, MIN_CHANNELS, 8))
    assert not seen


def test_maps_given_by_name_are_convolved() -> None:
    layer, images = convolution(), maps(5, MIN_CHANNELS, 8)
    with WinogradConvolutions(layer).enabled():
        assert torch.equal(layer(input=images), layer(images))


def test_kernels_that_change_are_seen() -> None:
    layer, images = convolution(), maps(5, MIN_CHANNELS, 8)
    fast = WinogradConvolutions(layer)
    with fast.enabled():
        before = layer(images)
    layer.weight.mul_(2)
    with fast.enabled():
        after = layer(images)
    assert torch.allclose(after, 2 * before, atol=1e-5)
    assert "forward" not in layer.__dict__


class _Doubled(nn.Module):
    """A parametrisation: the kernel is computed in each pass."""

    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def test_kernels_that_are_computed_go_the_ordinary_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they lie in memory says nothing of their values."""
    shapes = counted(monkeypatch)
    layer = register_parametrization(convolution(), "weight", _Doubled())
    with WinogradConvolutions(nn.Sequential(layer)).enabled():
        layer(maps(16, MIN_CHANNELS, 4))
    assert shapes == []


def test_kernels_written_past_autograd_are_seen_after_a_refresh() -> None:
    """A write through ``.data`` leaves no trace in the tensor's version."""
    stem, norm = nn.Conv2d(3, MIN_CHANNELS, 3, 2, 1), nn.BatchNorm2d(MIN_CHANNELS)
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(MIN_CHANNELS, 10)
    model = nn.Sequential(stem, convolution(), norm, *pooled)
    model(maps(4, 3, 8))
    teacher, images = Teacher(model, num_classes=10, image_shape=(3, 8, 8)), maps(64, 3, 8)
    teacher(images)
    own = teacher.model[1]
    assert isinstance(own, nn.Conv2d)
    own.weight.data.mul_(-1)
    teacher.refresh()
    assert torch.allclose(teacher(images), teacher.model(images), atol=1e-4)


def test_a_teacher_is_tried_with_few_images_as_it_works_with_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the ordinary convolution would hide is refused before any work."""
    stem, norm = nn.Conv2d(3, MIN_CHANNELS, 3, 2, 1), nn.BatchNorm2d(MIN_CHANNELS)
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(MIN_CHANNELS, 10)
    model = nn.Sequential(stem, convolution(), norm, *pooled)
    model(maps(4, 3, 8))
    Teacher(model, num_classes=10, image_shape=(3, 8, 8))
    seen = counted(monkeypatch)
    monkeypatch.setattr("naturalinversion.teacher.winograd._BACK_2D", -_BACK_2D)
    with pytest.raises(TeacherError, match=r"other logits where its batch norms .* are observed"):
        Teacher(model, num_classes=10, image_shape=(3, 8, 8))
    assert seen == [(2, MIN_CHANNELS, 4, 4)] * 2, "one pass and its gradient"


def test_a_wide_teacher_is_inverted_as_by_the_published_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with seeded(4):
        model = build("resnet18", 10, 1.0).train()
        with torch.no_grad():
            model(torch.randn(16, 3, 16, 16))
    teacher = Teacher(model, num_classes=10, image_shape=(3, 16, 16))
    seen = counted(monkeypatch)
    method, labels = DeepInversion(iterations=2), balanced_labels(16, 10, 0)
    method.prepare(teacher, None, 0, Training())
    found = method.batch(labels, 0, lambda steps: None)
    assert len(seen) == 2 * 2 * 3, "three layers, forth and back in two iterations"
    expected = reference_batch(method, teacher, labels, 0)
    for term, history in found.losses.items():
        assert torch.allclose(history, expected.losses[term], rtol=1e-4), term
