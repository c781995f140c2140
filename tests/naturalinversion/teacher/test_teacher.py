"""The teacher: what it observes, and what it leaves as it was."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.classifiers import build
from naturalinversion.errors import TeacherError, TeacherWarning
from naturalinversion.teacher.image_space import CIFAR10_STD
from tests.naturalinversion.teacher.networks import (
    BottleneckNet,
    FunctionalPooling,
    OneReluForAll,
    hooks,
    made,
    noise,
    shapes,
    teach,
)


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


def test_a_block_that_rounds_an_odd_side_up_is_a_downsampling_one() -> None:
    """Its inner maps, which have more channels, are none that the pyramid reads."""
    with pytest.warns(TeacherWarning, match="looks untrained"):
        teacher = Teacher(build("mobilenetv2", 10, 0.25), num_classes=10, image_shape=(3, 28, 28))
    assert [(s.module, s.size[0]) for s in teacher.stages] == [
        ("features.3", 28),
        ("features.6", 14),
        ("features.13", 7),
        ("features", 4),
    ]


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


def test_statistics_that_were_not_observed_are_one_line() -> None:
    observation = teach(made(BottleneckNet)).observe(noise(2, 3, 16, 16))
    with pytest.raises(TeacherError, match=r"no batch-norm statistics .*, statistics=True\)$"):
        observation.bn_statistics()


@pytest.mark.parametrize("call", [Teacher.__call__, Teacher.observe])
def test_an_image_without_a_batch_is_one_line(call: Callable[[Teacher, Tensor], object]) -> None:
    says = r"images have shape \(3, 16, 16\), not \(N, 3, 16, 16\): of one image make a batch by"
    with pytest.raises(TeacherError, match=says):
        call(teach(made(BottleneckNet)), noise(3, 16, 16))


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
