"""Batch norms and R_BN by the kernels of a GPU, on a CPU that emulates the kernels."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from naturalinversion import Teacher, priors
from naturalinversion.classifiers import build
from naturalinversion.precision import compute_in
from naturalinversion.seeds import generator, seeded
from naturalinversion.teacher.batch_norm_constants import (
    MIN_SCALE,
    clamp_from_zero,
    gradient_factors,
)
from naturalinversion.teacher.batch_norm_statistics import record_batch_norm_statistics
from naturalinversion.teacher.fused_batch_norm import FusedBatchNorms
from naturalinversion.teacher.observation import Observation
from tests.naturalinversion.fake_cuda_graph import FakeGraph
from tests.naturalinversion.teacher.emulated_kernels import backward_elemt, emulated
from tests.naturalinversion.teacher.zoo import OwnNorm, norms_of

LAYOUTS = (torch.channels_last, torch.contiguous_format)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The CPU emulates the GPU kernels."""
    with emulated(monkeypatch):
        yield


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def network(arch: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A narrow one; running statistics and affine parameters unlike a new network's."""
    with seeded(0):
        model = build(arch, 10, 0.125).to(dtype).train()
        with torch.no_grad():
            for _ in range(5):
                model(2 * torch.randn(32, 3, 16, 16, dtype=dtype))
        for norm in norms_of(model):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    return model


def teach(model: nn.Module, side: int = 16, **more: Any) -> Teacher:
    return Teacher(model, num_classes=10, image_shape=(3, side, side), **more)


def observe(teacher: Teacher, images: Tensor) -> tuple[Observation, Tensor]:
    """The observation, and the gradient of logits and R_BN together."""
    leaf = images.clone().requires_grad_()
    with compute_in(teacher.device, teacher.precision):
        observed = teacher.observe(leaf, statistics=True)
        (observed.logits.float().square().mean() + observed.bn_statistics()).backward()
    assert leaf.grad is not None
    return observed, leaf.grad


def assert_close(found: Tensor, expected: Tensor, off: float = 1e-12) -> None:
    """To ``off`` of the largest value."""
    torch.testing.assert_close(
        found, expected, rtol=0, atol=off * expected.detach().abs().max().item()
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("gamma", [0.0, -0.0, 1e-13, -1e-13, 1e-6, -1e-6, 0.7, -3.0])
def test_one_kernel_gives_the_gradient_of_output_and_moments(
    gamma: float, layout: torch.memory_format
) -> None:
    """The first channel has that weight, the others usual ones of both signs."""
    maps = (3 + 2 * noise(6, 5, 4, 4)).contiguous(memory_format=layout).requires_grad_()
    scale, bias = noise(5, seed=1), noise(5, seed=2)
    scale[0] = gamma
    grad_out, grad_mean, grad_variance = (
        noise(6, 5, 4, 4, seed=3),
        noise(5, seed=4),
        noise(5, seed=5),
    )
    out = maps * scale.view(-1, 1, 1) + bias.view(-1, 1, 1)
    variance, mean = torch.var_mean(maps, (0, 2, 3), correction=0)
    (expected,) = torch.autograd.grad(
        (out, mean, variance), maps, (grad_out, grad_mean, grad_variance)
    )

    held = clamp_from_zero(scale)
    assert held.abs().min() >= MIN_SCALE
    sums = gradient_factors(held[None]) * torch.stack([grad_mean, grad_variance])
    found = backward_elemt(
        grad_out.contiguous(memory_format=layout),
        maps.detach(),
        mean.detach(),
        torch.ones_like(scale),
        held,
        *sums,
        torch.tensor([6 * 4 * 4], dtype=torch.int32),
    )
    assert_close(found, expected, 3e-12)


@pytest.mark.parametrize("arch", ["resnet18", "vgg11", "mobilenetv2"])
def test_all_layers_at_once_are_the_layers_one_by_one(
    arch: str, request: pytest.FixtureRequest
) -> None:
    model, images = network(arch), noise(8, 3, 16, 16)
    with torch.no_grad():
        norms_of(model)[1].weight[:2] = torch.tensor([0.0, 1e-14])
    teacher = teach(model)
    expected, gradient = observe(teacher, images)
    assert expected.stacked is None
    request.getfixturevalue("kernels")
    observed, found = observe(teacher, images)
    assert observed.stacked is not None
    assert_close(observed.logits, expected.logits)
    assert_close(observed.bn_statistics(), expected.bn_statistics())
    assert_close(found, gradient)
    assert len(observed.statistics) == len(expected.statistics) == len(teacher.batch_norms)
    for layer, other in zip(observed.statistics, expected.statistics, strict=True):
        assert layer.running_mean is other.running_mean
        assert layer.running_variance is other.running_variance
        assert_close(layer.mean, other.mean)
        assert_close(layer.variance, other.variance)
    torch.testing.assert_close(priors.bn_statistics(observed.statistics), observed.bn_statistics())


def test_gradients_of_single_moments_are_those_of_the_moments(kernels: None) -> None:
    """Not the sums that the kernel takes."""
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 10))
    with seeded(0):
        nn.init.normal_(model[0].weight)
    teacher = Teacher(model.double(), num_classes=10, image_shape=(3, 4, 4), smallest_stage=2)

    def moments(images: Tensor) -> tuple[Tensor, ...]:
        observed = teacher.observe(images, statistics=True)
        (layer,) = observed.statistics
        return observed.logits, layer.mean, layer.variance, observed.bn_statistics()

    assert torch.autograd.gradcheck(moments, (noise(5, 3, 4, 4).requires_grad_(),))


class Mixed(nn.Module):
    """Norms of one's own, without weights, called twice, and never."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.own, self.bare = OwnNorm(4), nn.BatchNorm2d(4, affine=False)
        self.twice, self.never = nn.BatchNorm2d(4), nn.BatchNorm2d(7)
        self.head = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.twice(self.bare(self.own(self.conv(images))).relu())
        x = self.twice(x * x)
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits


def test_unusual_norms_are_recorded_as_they_are(request: pytest.FixtureRequest) -> None:
    with seeded(1):
        teacher = teach(Mixed().double(), 8)
    images = noise(6, 3, 8, 8)
    expected, gradient = observe(teacher, images)
    request.getfixturevalue("kernels")
    observed, found = observe(teacher, images)
    assert len(observed.statistics) == 4, "of both calls of the norm that is called twice"
    assert_close(observed.logits, expected.logits)
    assert_close(observed.bn_statistics(), expected.bn_statistics())
    assert_close(found, gradient)
    for layer, other in zip(observed.statistics, expected.statistics, strict=True):
        assert layer.running_mean is other.running_mean
        assert_close(layer.variance, other.variance)
    assert all("forward" not in module.__dict__ for module in teacher.model.modules())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_narrow_maps_keep_their_type_and_their_moments_are_wide(
    dtype: torch.dtype, layout: torch.memory_format, request: pytest.FixtureRequest
) -> None:
    """The kernels' emulation refuses statistics and gradients in other types and layouts."""
    norm = norms_of(network("resnet18", torch.float32).eval().requires_grad_(False))[3]
    wide = 1 + noise(6, norm.num_features, 8, 8, dtype=torch.float32)
    wide = wide.contiguous(memory_format=layout).requires_grad_()
    with record_batch_norm_statistics([norm]) as observed:
        out = norm(wide)
    (
        out.sum() + 9 * observed[norm].mean.square().sum() + 9 * observed[norm].variance.sum()
    ).backward()

    request.getfixturevalue("kernels")
    maps = wide.detach().to(dtype).requires_grad_()
    with FusedBatchNorms([norm]).record_batch_norm_statistics() as fused:
        result = norm(maps)
    moments = fused[norm]
    (result.float().sum() + 9 * moments.mean.square().sum() + 9 * moments.variance.sum()).backward()
    assert result.dtype == dtype
    assert moments.mean.dtype == moments.variance.dtype == torch.float32
    assert result.is_contiguous(memory_format=layout)
    assert maps.grad is not None
    assert maps.grad.dtype == dtype
    assert wide.grad is not None
    rounding = 2e-6 if dtype == torch.float32 else 2e-2
    assert_close(result.float(), out, rounding)
    assert_close(moments.variance, observed[norm].variance, rounding)
    assert_close(maps.grad.float(), wide.grad, rounding)


def test_a_network_in_bf16_has_statistics_in_float32(request: pytest.FixtureRequest) -> None:
    """Its own tensors are narrow; what is made of them is not."""
    model = network("resnet18", torch.float32).bfloat16()
    wide, narrow = teach(copy.deepcopy(model).float()), teach(model)
    images = noise(8, 3, 16, 16).bfloat16()
    expected, gradient = observe(wide, images.float())
    request.getfixturevalue("kernels")
    observed, found = observe(narrow, images)
    assert all(layer.mean.dtype == torch.float32 for layer in observed.statistics)
    assert found.dtype == torch.bfloat16
    assert_close(observed.bn_statistics(), expected.bn_statistics(), 0.02)
    assert (found.float() - gradient).norm() < 0.1 * gradient.norm()


def test_maps_in_no_layout_are_taken_too(request: pytest.FixtureRequest) -> None:
    norm = norms_of(network("resnet18").eval().requires_grad_(False))[0]
    maps = noise(4, norm.num_features, 16, 16)[..., ::2, ::2].requires_grad_()
    with record_batch_norm_statistics([norm]) as observed:
        expected = norm(maps)
    request.getfixturevalue("kernels")
    with FusedBatchNorms([norm]).record_batch_norm_statistics() as fused:
        found = norm(maps)
    assert_close(found, expected)
    assert_close(fused[norm].variance, observed[norm].variance)


def test_at_no_distance_the_gradient_is_nothing(kernels: None) -> None:
    """A norm has no slope there, and that of one layer must not spoil the others'."""
    model = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 10))
    teacher = Teacher(model.double(), num_classes=10, image_shape=(3, 4, 4), smallest_stage=2)
    images = noise(5, 3, 4, 4)
    observed = teacher.observe(images, statistics=True).statistics[0]
    first_norm = norms_of(teacher.model)[0]
    assert first_norm.running_mean is not None
    assert first_norm.running_var is not None
    first_norm.running_mean.copy_(observed.mean)
    first_norm.running_var.copy_(observed.variance)
    leaf = images.requires_grad_()
    found = teacher.observe(leaf, statistics=True)
    first, second = found.statistics
    assert priors.bn_statistics([first]) == 0
    (expected,) = torch.autograd.grad(priors.bn_statistics([second]), leaf, retain_graph=True)
    (gradient,) = torch.autograd.grad(found.bn_statistics(), leaf)
    assert expected.abs().max() > 0
    assert_close(gradient, expected)


CHANGES: dict[str, Callable[[Any], object]] = {
    "variances in place": lambda norm: norm.running_var.mul_(2),
    "weights": lambda norm: norm.weight.neg_(),
    "all from a state": lambda norm: norm.load_state_dict(
        {name: value + 1 for name, value in norm.state_dict().items()}
    ),
    "other means": lambda norm: setattr(norm, "running_mean", noise(norm.num_features)),
    "eps": lambda norm: setattr(norm, "eps", 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_norms_that_change_are_noticed(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = network("vgg11"), noise(6, 3, 16, 16)
    teacher = teach(model)
    with emulated(monkeypatch):
        observe(teacher, images)
    for norm in norms_of(teacher.model):
        CHANGES[change](norm)
    expected, gradient = observe(teacher, images)
    with emulated(monkeypatch):
        observed, found = observe(teacher, images)
    assert_close(observed.logits, expected.logits)
    assert_close(observed.bn_statistics(), expected.bn_statistics())
    assert_close(found, gradient)


def test_a_captured_look_reads_what_was_refreshed(kernels: None) -> None:
    """Also after writes that no version counter shows: `refresh` recomputes everything."""
    model, images = network("resnet18"), noise(6, 3, 16, 16)
    teacher = teach(model)
    observe(teacher, images)
    graph = FakeGraph()
    with graph.captured():
        observed, found = observe(teacher, images)
    for module in teacher.model.modules():
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if tensor.is_floating_point():
                tensor.data.mul_(1.1)
    teacher.refresh()
    graph.replay()
    expected, gradient = observe(teach(teacher.model), images)
    assert_close(observed.logits, expected.logits)
    assert observed.stacked is not None
    torch.testing.assert_close(found, gradient)


class Launches(TorchDispatchMode):
    """Counts operations that are not views: on a GPU, a kernel each or more."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        returns = [each.alias_info for each in func._schema.returns]
        self.count += not any(alias is not None and not alias.is_write for alias in returns)
        return func(*args, **(kwargs or {}))


def test_a_layer_costs_three_kernels_and_the_loss_eight_for_all(kernels: None) -> None:
    """Statistics, maps and their gradient; one by one, R_BN would add twelve to each."""
    counts = []
    for layers in (2, 12):
        model = nn.Sequential(*(nn.BatchNorm2d(3) for _ in range(layers)), nn.Flatten())
        model.append(nn.Linear(48, 10))
        teacher = Teacher(model.double(), num_classes=10, image_shape=(3, 4, 4), smallest_stage=2)
        images = noise(5, 3, 4, 4)
        observed, _ = observe(teacher, images)
        with Launches() as launches:
            observe(teacher, images)
        counts.append(launches.count)
        assert observed.stacked is not None
        with Launches() as launches:
            torch.autograd.grad(observed.stacked.distance(), observed.stacked.batch)
        assert launches.count <= 8
    assert counts[1] - counts[0] == 3 * 10
