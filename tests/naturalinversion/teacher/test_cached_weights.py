"""Cached weights, cast and folded once, give the network's own outputs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils._python_dispatch import TorchDispatchMode

from naturalinversion import Teacher
from naturalinversion.classifiers import build
from naturalinversion.precision import compute_in
from naturalinversion.seeds import generator, seeded
from naturalinversion.teacher.cached_weights import CachedWeights, conv_norm_pairs
from tests.naturalinversion.fake_cuda_graph import FakeGraph
from tests.naturalinversion.teacher.emulated_kernels import emulated
from tests.naturalinversion.teacher.zoo import StandardisedConv, norms_of


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The CPU caches weights as a GPU does."""
    with emulated(monkeypatch):
        yield


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(0), dtype=dtype)


def network(make: Callable[[], nn.Module], dtype: torch.dtype = torch.float64) -> nn.Module:
    """Its batch norms have running statistics and affine parameters unlike a new network's."""
    with seeded(0):
        model = make().to(dtype).train()
        with torch.no_grad():
            for _ in range(3):
                model(2 * torch.randn(8, 3, 16, 16, dtype=dtype))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d) and module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return model


def narrow(arch: str) -> Callable[[], nn.Module]:
    return lambda: build(arch, 10, 0.125)


def teach(model: nn.Module, **more: Any) -> Teacher:
    return Teacher(model, num_classes=10, image_shape=(3, 16, 16), **more)


def features(teacher: Teacher, images: Tensor) -> list[Tensor]:
    """Maps and logits of a pass that observes no batch norm, and the gradient through them."""
    leaf = images.clone().requires_grad_()
    with compute_in(teacher.device, teacher.precision):
        observed = teacher.observe(leaf, maps=True, embedding=True)
    assert observed.embedding is not None
    found = [*observed.maps, observed.logits, observed.embedding]
    sum((each.float().square().mean() for each in found), torch.zeros(())).backward()
    assert leaf.grad is not None
    return [*(each.detach() for each in found), leaf.grad]


def maps_of(teacher: Teacher, images: Tensor) -> list[Tensor]:
    """The maps of a pass without gradients."""
    with torch.no_grad(), compute_in(teacher.device, teacher.precision):
        return [*teacher.observe(images, maps=True).maps]


def assert_close(found: list[Tensor], expected: list[Tensor], off: float = 1e-12) -> None:
    """Each to ``off`` of its largest value."""
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=off * other.abs().max().item())


class Own(nn.Module):
    """Whatever ``forward`` makes of two convolutions and two norms."""

    def __init__(self, way: Callable[["Own", Tensor], Tensor]) -> None:
        super().__init__()
        self.way = way
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.way(self, images).mean(dim=(2, 3)))
        return logits


def plain(net: Own, x: Tensor) -> Tensor:
    return F.relu(net.two(net.second(F.relu(net.one(net.first(x))))))


def read_twice(net: Own, x: Tensor) -> Tensor:
    x = net.first(x)
    return F.relu(net.two(net.second(F.relu(net.one(x))))) + x


def changed_in_place(net: Own, x: Tensor) -> Tensor:
    x = net.first(x)
    x += 1
    return net.two(net.second(F.relu(net.one(x))))


def shared_convolution(net: Own, x: Tensor) -> Tensor:
    x = net.second(F.relu(net.one(net.first(x))))
    return net.two(net.second(x))


def shared_norm(net: Own, x: Tensor) -> Tensor:
    return net.two(net.second(net.two(net.first(x))))


def depends_on_images(net: Own, x: Tensor) -> Tensor:
    return plain(net, x) if x.mean() > 0 else plain(net, 1 - x)


WAYS = {plain: 2, read_twice: 1, changed_in_place: 1, shared_convolution: 1, shared_norm: 0}


@pytest.mark.parametrize(("way", "count"), [*WAYS.items(), (depends_on_images, 0)])
def test_a_convolution_takes_the_norm_that_alone_reads_it(
    way: Callable[[Own, Tensor], Tensor], count: int, request: pytest.FixtureRequest
) -> None:
    model = network(lambda: Own(way))
    assert len(conv_norm_pairs(model)) == count
    teacher, images = teach(model), noise(5, 3, 16, 16)
    expected = features(teacher, images)
    request.getfixturevalue("kernels")
    assert_close(features(teacher, images), expected)


@pytest.mark.parametrize(("arch", "norms"), [("resnet34", 36), ("vgg16", 13), ("mobilenetv2", 52)])
def test_maps_logits_and_gradients_are_the_networks(
    arch: str, norms: int, request: pytest.FixtureRequest
) -> None:
    model = network(narrow(arch))
    assert len(conv_norm_pairs(model)) == norms, "every one of them is folded"
    teacher, images = teach(model), noise(6, 3, 16, 16)
    expected = features(teacher, images)
    request.getfixturevalue("kernels")
    assert_close(features(teacher, images), expected)
    assert all("forward" not in module.__dict__ for module in teacher.model.modules())


@pytest.mark.parametrize("arch", ["resnet18", "vgg11", "mobilenetv2"])
def test_in_bf16_maps_are_as_close_to_float32_as_before(
    arch: str, request: pytest.FixtureRequest
) -> None:
    """Within a percent, and within half as much again as a network that is not folded."""
    model, images = network(narrow(arch), torch.float32), noise(16, 3, 16, 16).float()
    exact = teach(model).observe(images, maps=True).maps
    teacher = teach(model, precision="bf16")
    rounded = maps_of(teacher, images)
    request.getfixturevalue("kernels")
    for kept, other, goal in zip(maps_of(teacher, images), rounded, exact, strict=True):
        assert kept.dtype == other.dtype == torch.bfloat16
        errors = [float((each - goal).norm() / goal.norm()) for each in (kept, other)]
        assert errors[0] < min(0.01, 1.5 * errors[1])


class Wrapped(nn.Module):
    """The last stage's map comes from a module around a convolution whose norm is outside."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.block = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1))
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.block(self.stem(images))).mean(dim=(2, 3)))
        return logits


def test_a_map_that_a_hook_reads_is_unchanged() -> None:
    model = network(Wrapped)
    assert len(conv_norm_pairs(model)) == 2
    assert [norm.num_features for norm in conv_norm_pairs(model, {"block"}).values()] == [4]
    assert [norm.num_features for norm in conv_norm_pairs(model, {"block.0"}).values()] == [4]
    assert len(conv_norm_pairs(model, {"norm"})) == 2


def test_a_network_with_other_hooks_is_not_folded(kernels: None) -> None:
    model = network(narrow("resnet18"))
    observed: list[Tensor] = []
    model.get_submodule("conv1").register_forward_hook(lambda module, i, out: observed.append(out))
    images = noise(4, 3, 16, 16)
    teach(model)(images)
    expected = F.conv2d(images, model.get_parameter("conv1.weight"), padding=1)
    torch.testing.assert_close(observed[-1], expected)


def test_a_pass_that_records_statistics_is_not_folded(request: pytest.FixtureRequest) -> None:
    teacher, images = teach(network(narrow("vgg11"))), noise(4, 3, 16, 16)
    expected = teacher.observe(images, statistics=True, maps=True)
    request.getfixturevalue("kernels")
    teacher(images)
    found = teacher.observe(images, statistics=True, maps=True)
    assert_close([*found.maps], [*expected.maps])
    for layer, other in zip(found.statistics, expected.statistics, strict=True):
        torch.testing.assert_close(layer.mean, other.mean)


class Casts(TorchDispatchMode):
    """Shapes of what is rounded to bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[torch.Size] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ == "_to_copy" and found.dtype == torch.bfloat16:
            self.shapes.append(found.shape)
        return found


def test_weights_are_rounded_once(kernels: None) -> None:
    images = noise(4, 3, 16, 16, dtype=torch.float32)
    teacher = teach(network(narrow("mobilenetv2"), torch.float32), precision="bf16")
    for statistics in (True, False):
        shapes = []
        for _ in range(2):
            with compute_in(teacher.device, "bf16"), Casts() as casts:
                teacher.observe(images, statistics=statistics)
            shapes.append(casts.shapes)
        assert len(shapes[0]) > 50
        assert shapes[1] == [images.shape]


def scaled(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)


def other_statistics(model: nn.Module) -> None:
    for norm in norms_of(model):
        assert norm.running_var is not None
        norm.running_var.add_(0.1)


def loaded(model: nn.Module) -> None:
    state = {name: value * 1.1 for name, value in model.state_dict().items()}
    model.load_state_dict(state)


def replaced(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight = nn.Parameter(1.1 * module.weight, requires_grad=False)


def wider(model: nn.Module) -> None:
    model.float()


@pytest.mark.parametrize("change", [scaled, other_statistics, loaded, replaced, wider])
def test_weights_that_change_are_noticed(
    change: Callable[[nn.Module], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = network(narrow("resnet18")), noise(4, 3, 16, 16)
    teacher = teach(model)
    with emulated(monkeypatch):
        features(teacher, images)
    change(teacher.model)
    images = images.to(teacher.dtype)
    expected = features(teacher, images)
    with emulated(monkeypatch):
        found = features(teacher, images)
    assert_close(found, expected, 1e-12 if teacher.dtype == torch.float64 else 1e-5)


def test_a_convolution_that_changes_its_weights_is_not_folded(
    request: pytest.FixtureRequest,
) -> None:
    """Standardised, a folded kernel would lose the scale of the norm."""
    model = network(lambda: Own(plain))
    model.second = StandardisedConv(4, 4, 3, padding=1).double()
    teacher, images = teach(model), noise(5, 3, 16, 16)
    expected = features(teacher, images)
    request.getfixturevalue("kernels")
    assert_close(features(teacher, images), expected)


def test_trainable_and_parametrized_weights_are_not_cached(kernels: None) -> None:
    model = network(lambda: Own(plain), torch.float32)
    weight_norm(model.second)
    model.requires_grad_(False)
    model.first.requires_grad_(True)
    cached = CachedWeights(model.eval())
    with cached.enabled(folded=True):
        assert "forward" not in model.first.__dict__
        assert "forward" not in model.second.__dict__
        model(noise(2, 3, 16, 16, dtype=torch.float32)).sum().backward()
    assert model.first.weight.grad is not None


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_captured_pass_reads_what_was_refreshed(precision: Any, kernels: None) -> None:
    """Also after writes that no version counter shows: `refresh` recomputes everything."""
    model, images = network(narrow("resnet18"), torch.float32), noise(4, 3, 16, 16).float()
    teacher = teach(model, precision=precision)
    features(teacher, images)
    graph = FakeGraph()
    with graph.captured():
        found = maps_of(teacher, images)
    for tensor in (*teacher.model.parameters(), *teacher.model.buffers()):
        if tensor.is_floating_point():
            tensor.data.mul_(1.1)
    teacher.refresh()
    graph.replay()
    fresh = features(teach(teacher.model, precision=precision), images)[: len(found)]
    assert_close([each.float() for each in found], [each.float() for each in fresh], 1e-6)


def test_on_a_cpu_nothing_is_cached() -> None:
    model = network(narrow("resnet18"), torch.float32)
    teacher, images = teach(model), noise(4, 3, 16, 16, dtype=torch.float32)
    expected = teacher.model(images.contiguous(memory_format=torch.channels_last))
    assert torch.equal(teacher(images), expected)
    assert teacher.observe(images, statistics=True).stacked is None
