"""The teacher: what it refuses, what it observes, what it leaves as it was."""

import copy
import pickle
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.errors import TeacherError
from naturalinversion.seeds import generator, seeded
from naturalinversion.teacher.image_space import CIFAR10_STD
from tests.naturalinversion.fake_cuda_graph import FakeGraph


class FunctionalPooling(nn.Module):
    """Pools and activates by functions: no module to put a hook on."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 4, 8, 12)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[1:])
        self.head = nn.Linear(12 * 2 * 2, 5)

    def forward(self, images: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            images = F.max_pool2d(F.relu(norm(conv(images))), 2)
        logits: Tensor = self.head(images.flatten(1))
        return logits


class OneReluForAll(nn.Module):
    """The same activation and pooling modules at every resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b))
            for a, b in ((3, 4), (4, 8), (8, 12))
        )
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        for block in self.blocks:
            images = self.pool(self.relu(block(images)))
        logits: Tensor = self.head(images.mean(dim=(2, 3)))
        return logits


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1; maps inside change resolution before the block ends."""

    def __init__(self, before: int, inner: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, inner, 1)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, after, 1)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        joined: Tensor = self.relu(self.bn3(self.conv3(out)) + self.downsample(x))
        return joined


class BottleneckNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1 = nn.Sequential(Bottleneck(4, 2, 8, 1), Bottleneck(8, 2, 8, 1))
        self.layer2 = nn.Sequential(Bottleneck(8, 4, 16, 2), Bottleneck(16, 4, 16, 1))
        self.layer3 = nn.Sequential(Bottleneck(16, 8, 32, 2))
        self.fc = nn.Linear(32, 5)

    def maps(self, images: Tensor) -> list[Tensor]:
        found, x = [], self.stem(images)
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
            found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.maps(images)[-1].mean(dim=(2, 3)))
        return logits


def teach(model: nn.Module, **changes: object) -> Teacher:
    arguments: dict[str, object] = {"num_classes": 5, "image_shape": (3, 16, 16), **changes}
    return Teacher(model, **arguments)  # type: ignore[arg-type]


def made(factory: Callable[[], nn.Module]) -> nn.Module:
    """Weights by seed, and batch norms with running statistics."""
    with seeded(1):
        model = factory().train()
        with torch.no_grad():
            model(torch.randn(8, 3, 16, 16))
    return model


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0))


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def shapes(maps: Sequence[Tensor]) -> list[tuple[int, int]]:
    return [(m.shape[1], m.shape[-1]) for m in maps]


def test_a_classifier_without_memory_of_its_images_is_refused() -> None:
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    forgetful = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), *plain)
    for model, says in (
        (plain, "no batch norm with running statistics"),
        (
            forgetful,
            "logits of an image depend on the others of its batch, first the output of '0'",
        ),
    ):
        with pytest.raises(TeacherError, match=says) as caught:
            teach(model)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2


def test_images_of_another_size_are_refused_in_one_line() -> None:
    model = made(FunctionalPooling)
    with pytest.raises(TeacherError, match=r"images of shape \(3, 32, 32\)") as caught:
        teach(model, image_shape=(3, 32, 32))
    assert "\n" not in str(caught.value)
    assert hooks(model) == 0


def test_another_number_of_classes_is_refused_in_one_line() -> None:
    says = r"returns \(5,\) for an image, not 10 logits: num_classes=5 would fit"
    with pytest.raises(TeacherError, match=says) as caught:
        teach(made(FunctionalPooling), num_classes=10)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"mean": (0.5,)},
            "as many as the images have channels: they have 1 and 3",
        ),
        ({"std": (0.5, 0.5)}, "they have 3 and 2"),
        ({"std": (0.5, 0.0, 0.5)}, "finite values, std above zero"),
        ({"mean": (0.5, float("nan"), 0.5)}, "finite values, std above zero"),
        ({"mean": (123.7, 116.3, 103.5)}, r"mean \(123.7, 116.3, 103.5\) and std .* by 255"),
        ({"std": (58.4, 57.1, 57.4)}, r"not those of pixels in \[0, 1\]: divide"),
        ({"mean": (-0.49, -0.48, -0.44)}, r"not those of pixels in \[0, 1\]"),
        ({"mean": 0.5}, "mean is 0.5: a number for each channel"),
        ({"mean": torch.zeros(3, 2, 1)}, r"mean has shape \(3, 2, 1\): a number for each channel"),
        ({"std": [torch.ones(2)] * 3}, r"std is \[.*: a number for each channel"),
        ({"std": ("0.5", "0.5", "0.5")}, r"std is \('0.5', '0.5', '0.5'\): a number for each chan"),
        ({"image_shape": (16, 16)}, r"image_shape is \(16, 16\): three whole numbers"),
        ({"image_shape": (3, 16.5, 16)}, r"image_shape is \(3, 16.5, 16\): three whole numbers"),
        ({"image_shape": 16}, "image_shape is 16: three whole numbers"),
        ({"num_classes": 4.0}, "num_classes is 4.0: a whole number"),
        ({"smallest_stage": "4"}, "smallest_stage is '4': a whole number"),
        ({"smallest_stage": 0}, "smallest_stage is 0: 1 or more"),
        ({"smallest_stage": -1}, "smallest_stage is -1: 1 or more"),
        ({"num_classes": 1}, "num_classes is 1: two or more; of one logit z make two, torch.cat"),
    ],
)
def test_a_description_that_cannot_be_is_refused(wrong: dict[str, object], says: str) -> None:
    normalisation = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    with pytest.raises(TeacherError, match=says) as caught:
        teach(made(FunctionalPooling), **normalisation | wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("given", "missing"), [("mean", "std"), ("std", "mean")])
def test_mean_and_std_come_together(given: str, missing: str) -> None:
    """The default of one does not belong to the other that is given."""
    with pytest.raises(TeacherError, match=f"^{given} without {missing}: give both, those of the"):
        teach(made(FunctionalPooling), **{given: (0.5, 0.5, 0.5)})
    teach(made(FunctionalPooling), mean=None, std=None)


def test_the_teacher_is_frozen_and_looking_does_not_teach_it() -> None:
    teacher = teach(made(BottleneckNet))
    before = teacher.fingerprint
    for _ in range(2):
        teacher.observe(noise(4, 3, 16, 16) + 3, statistics=True, maps=True, embedding=True)
    assert teacher.fingerprint == before
    assert not any(m.training for m in teacher.model.modules())
    assert not any(p.requires_grad for p in teacher.model.parameters())


def test_hooks_leave_with_the_pass_even_when_it_fails() -> None:
    teacher = teach(made(FunctionalPooling))
    everything = {"statistics": True, "maps": True, "embedding": True}
    teacher.observe(noise(2, 3, 16, 16), **everything)
    assert hooks(teacher.model) == 0
    with pytest.raises(RuntimeError):
        teacher.observe(noise(2, 3, 32, 32), **everything)
    assert hooks(teacher.model) == 0


def test_a_thread_waits_until_the_pass_of_another_is_over() -> None:
    """Its end would take away what records the other one's statistics."""
    teacher, images = teach(made(FunctionalPooling)), noise(2, 3, 16, 16)
    expected = teacher.observe(images, statistics=True, maps=True)
    inside, over = Event(), Event()

    def pause(module: nn.Module, inputs: object, output: object) -> None:
        if not inside.is_set():
            inside.set()
            over.wait(0.5)  # for the other pass, if that does not wait for this one

    teacher.model.get_submodule("norms.0").register_forward_hook(pause)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(teacher.observe, images, statistics=True, maps=True)
        inside.wait()
        second = threads.submit(teacher.observe, images, statistics=True, maps=True)
        second.add_done_callback(lambda done: over.set())
    for found in (first.result(), second.result()):
        assert len(found.statistics) == len(expected.statistics)
        assert torch.equal(found.bn_statistics(), expected.bn_statistics())
        assert shapes(found.maps) == shapes(expected.maps)


def test_a_teacher_can_be_copied_and_pickled() -> None:
    teacher, images = teach(made(BottleneckNet)), noise(2, 3, 16, 16)
    for other in (copy.deepcopy(teacher), pickle.loads(pickle.dumps(teacher))):
        assert torch.equal(other(images), teacher(images))


def test_a_users_own_hooks_stay() -> None:
    teacher = teach(made(BottleneckNet))
    teacher.model.register_forward_hook(lambda module, inputs, output: None)
    teacher.observe(noise(2, 3, 16, 16), statistics=True, maps=True)
    assert hooks(teacher.model) == 1


def test_stages_of_a_bottleneck_network_are_its_blocks_outputs() -> None:
    teacher = teach(made(BottleneckNet))
    model = teacher.model
    assert isinstance(model, BottleneckNet)
    assert [(s.module, s.channels, s.size) for s in teacher.stages] == [
        ("layer1", 8, (16, 16)),
        ("layer2", 16, (8, 8)),
        ("layer3", 32, (4, 4)),
    ]
    images = noise(3, 3, 16, 16)
    for found, expected in zip(
        teacher.observe(images, maps=True).maps, model.maps(images), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_stages_of_a_network_that_pools_by_function() -> None:
    teacher = teach(made(FunctionalPooling))
    assert [(s.channels, *s.size) for s in teacher.stages] == [(4, 16, 16), (8, 8, 8), (12, 4, 4)]
    assert shapes(teacher.observe(noise(2, 3, 16, 16), maps=True).maps) == [
        (4, 16),
        (8, 8),
        (12, 4),
    ]


def test_stages_of_a_network_that_uses_one_activation_everywhere() -> None:
    """Every map has the shape its stage promises: a pyramid is built from the promise."""
    teacher = teach(made(OneReluForAll))
    promised = [(s.channels, s.size[1]) for s in teacher.stages]
    assert promised == [(4, 16), (8, 8), (12, 4), (12, 2)]
    assert shapes(teacher.observe(noise(2, 3, 16, 16), maps=True).maps) == promised


def test_statistics_are_those_of_each_batch_norms_input() -> None:
    teacher = teach(made(FunctionalPooling))
    model = teacher.model
    assert isinstance(model, FunctionalPooling)
    images = noise(6, 3, 16, 16)
    observed = teacher.observe(images, statistics=True).statistics
    assert len(observed) == len(teacher.batch_norms) == 3
    first = model.convs[0](images)
    torch.testing.assert_close(observed[0].mean, first.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(observed[0].variance, first.var(dim=(0, 2, 3), correction=0))
    for layer, norm in zip(observed, model.norms, strict=True):
        assert isinstance(norm, nn.BatchNorm2d)
        assert layer.running_mean is norm.running_mean
        assert layer.running_variance is norm.running_var


def test_gradients_reach_the_images_through_all_that_is_observed() -> None:
    teacher = teach(made(BottleneckNet))
    for what in ("logits", "statistics", "maps", "embedding"):
        images = noise(2, 3, 16, 16).requires_grad_()
        observed = teacher.observe(images, statistics=True, maps=True, embedding=True)
        value = getattr(observed, what)
        if what == "statistics":
            value = value[-1].variance
        elif what == "maps":
            value = value[-1]
        value.sum().backward()
        assert images.grad is not None
        assert images.grad.abs().sum() > 0, what


def test_normalisation_and_back() -> None:
    teacher = teach(made(BottleneckNet), mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.125))
    pixels = torch.rand(2, 3, 16, 16, generator=generator(0))
    images = teacher.normalize(pixels)
    torch.testing.assert_close(images[:, 2], (pixels[:, 2] - 0.3) / 0.125)
    torch.testing.assert_close(teacher.denormalize(images), pixels)


def test_a_normalisation_is_copied_from_the_host_once() -> None:
    """So it can be captured, and differentiated after a first call in inference mode."""
    teacher = teach(made(BottleneckNet))
    pixels = torch.rand(2, 3, 16, 16, generator=generator(0)).requires_grad_()
    with torch.inference_mode():
        expected = teacher.normalize(pixels)
        teacher.denormalize(expected.double())
    graph = FakeGraph()
    with graph.captured():
        images = teacher.normalize(pixels)
        back = teacher.denormalize(images.double())
    assert torch.equal(images, expected)
    (gradient,) = torch.autograd.grad(images.sum(), pixels)
    torch.testing.assert_close(gradient[0, :, 0, 0], 1 / torch.tensor(teacher.std))
    assert back.dtype == torch.float64
    teacher.mean = (0.0, 0.0, 0.0)
    torch.testing.assert_close(teacher.normalize(pixels)[:, 0], pixels[:, 0] / teacher.std[0])


def test_statistics_that_were_not_observed_are_one_line() -> None:
    observation = teach(made(BottleneckNet)).observe(noise(2, 3, 16, 16))
    with pytest.raises(TeacherError, match=r"no batch-norm statistics .*, statistics=True\)$"):
        observation.bn_statistics()


MEAN, STD = (0.125, 0.25, 0.375), (0.5, 0.25, 0.125)


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        (torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(1, 3)),
        (torch.tensor(MEAN).view(1, 3, 1, 1), np.array(STD).reshape(3, 1, 1)),
        (iter(MEAN), (value for value in STD)),
        (torch.tensor(MEAN), list(STD)),
    ],
    ids=["tensors", "tensor and array", "iterators", "plain"],
)
def test_a_normalisation_may_be_a_tensor_of_any_usual_shape(
    mean: Iterable[float], std: Iterable[float]
) -> None:
    teacher = teach(made(BottleneckNet), mean=mean, std=std)
    assert (teacher.mean, teacher.std) == (MEAN, STD)


@pytest.mark.parametrize("call", [Teacher.__call__, Teacher.observe])
def test_an_image_without_a_batch_is_one_line(call: Callable[[Teacher, Tensor], object]) -> None:
    says = r"images have shape \(3, 16, 16\), not \(N, 3, 16, 16\): of one image make a batch by"
    with pytest.raises(TeacherError, match=says):
        call(teach(made(BottleneckNet)), noise(3, 16, 16))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_integers_are_refused_where_they_would_be_rounded(dtype: torch.dtype) -> None:
    """A mean of 0.49 and a deviation of 0.2 are 0 as integers."""
    teacher, pixels = teach(made(BottleneckNet)), torch.ones(2, 3, 16, 16, dtype=dtype)
    for mapping in (teacher.normalize, teacher.denormalize, teacher, teacher.observe):
        with pytest.raises(TeacherError, match=r"not floating point: divide .* by 255$"):
            mapping(pixels)


def test_the_fingerprint_tells_teachers_apart() -> None:
    teacher = teach(made(BottleneckNet))
    assert teacher.fingerprint == teach(made(BottleneckNet)).fingerprint
    changed = made(BottleneckNet)
    with torch.no_grad():
        next(changed.parameters()).flatten()[0].add_(1e-6)
    prints = {teacher.fingerprint, teach(changed).fingerprint}
    buffers = made(BottleneckNet)
    next(b for n, b in buffers.named_buffers() if n.endswith("running_var")).mul_(1.001)
    prints.add(teach(buffers).fingerprint)
    prints.add(teach(made(BottleneckNet), mean=(0.5, 0.5, 0.5), std=CIFAR10_STD).fingerprint)
    assert len(prints) == 4


def test_a_teacher_in_half_precision_has_a_fingerprint() -> None:
    halved = teach(made(BottleneckNet).bfloat16())
    assert halved.dtype == torch.float32
    assert halved.fingerprint != teach(made(BottleneckNet)).fingerprint
