"""Whole batches as a GPU makes them, on a CPU that emulates its kernels and its graphs."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from baselines import METHODS
from naturalinversion import Batch, Teacher, Training
from naturalinversion.precision import Precision
from tests.naturalinversion.fake_cuda_graph import FakeGraph
from tests.naturalinversion.small_methods import LABELS, SMALL, network
from tests.naturalinversion.teacher.emulated_kernels import emulated

ITERATIONS = 3


def method(name: str, arch: str, precision: Precision = "fp32", **settings: Any) -> Any:
    dtype = torch.float64 if precision == "fp32" else torch.float32
    sizes = SMALL if name.startswith("ni") else {}
    made: Any = METHODS[name](**{"iterations": ITERATIONS, **sizes, **settings})
    teacher = Teacher(
        network(arch, 0).to(dtype), num_classes=10, image_shape=(3, 16, 16), precision=precision
    )
    made.prepare(teacher, network("vgg5", 1).to(dtype), 0, Training())
    return made


def batch(made: Any, seed: int = 0) -> Batch:
    found: Batch = made.batch(LABELS, seed, lambda done: None)
    return found


def assert_same(one: Batch, other: Batch) -> None:
    torch.testing.assert_close(one.images, other.images, rtol=1e-6, atol=1e-8)
    for term, history in one.losses.items():
        torch.testing.assert_close(history, other.losses[term], rtol=1e-6, atol=1e-9, msg=term)


@pytest.mark.parametrize(
    ("name", "arch", "settings"),
    [
        ("di", "vgg11", {}),
        ("adi", "resnet18", {}),
        ("ni", "mobilenetv2", {"feature_gradient": True, "iterations": 2}),
        ("ni_adi", "resnet34", {"schedule": "cosine", "iterations": 2}),
    ],
)
def test_a_captured_batch_is_that_of_the_cpu(
    name: str, arch: str, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """In float64: other kernels, the same numbers."""
    expected = batch(method(name, arch, **settings))
    made_graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    with emulated(request.getfixturevalue("monkeypatch")):
        found = batch(method(name, arch, **settings))
    assert_same(found, expected)
    assert made_graphs


def test_in_bf16_a_captured_batch_ends_where_that_of_the_cpu_does(
    request: pytest.FixtureRequest,
) -> None:
    expected = batch(method("ni", "vgg5", "bf16", iterations=10)).losses["total"]
    request.getfixturevalue("graphs")
    with emulated(request.getfixturevalue("monkeypatch")):
        found = batch(method("ni", "vgg5", "bf16", iterations=10)).losses["total"]
    assert float(found[-5:].mean()) == pytest.approx(float(expected[-5:].mean()), rel=0.05)


def test_a_teacher_that_changed_between_batches_is_taken_as_it_is(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also through ``.data``, which no version counter shows."""
    with emulated(monkeypatch):
        made = method("ni", "vgg5")
        before = batch(made)
        for tensor in (*made._teacher.model.parameters(), *made._teacher.model.buffers()):
            if tensor.is_floating_point():
                tensor.data.mul_(1.1)
        after = batch(made)
        fresh = method("ni", "vgg5")
        fresh._teacher.model.load_state_dict(made._teacher.model.state_dict())
        assert_same(after, batch(fresh))
    assert (after.losses["total"] - before.losses["total"]).abs().min() > 1e-3


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_a_joint_student_is_that_of_the_cpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All passes fold the teacher's batch norms into its convolutions, those with gradients too."""
    sizes: dict[str, Any] = {"batch_size": 12, "latent": 8, "generator_width": 0.125}
    students = []
    for way in (nullcontext(), emulated(monkeypatch)):
        made: Any = METHODS[name](epochs=1, steps=3, milestones=(0.5,), **sizes)
        teacher = Teacher(network("vgg11", 0), num_classes=10, image_shape=(3, 16, 16))
        student = network("vgg5", 1)
        with way:
            made.prepare(teacher, student, 0, Training())
        students.append(student.state_dict())
    for key, value in students[0].items():
        torch.testing.assert_close(students[1][key], value, rtol=1e-6, atol=1e-8, msg=key)
