"""DAFL, DFAD and WGAN-GP on emulated CUDA graphs: captured, they train as the eager loop does."""

import copy
import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from baselines import METHODS
from baselines.wgan_gp import WassersteinGAN
from baselines.wgan_settings import WassersteinSettings
from naturalinversion import Batch, Teacher, Training
from naturalinversion.errors import DivergedError
from tests.naturalinversion.fake_cuda_graph import Event, FakeGraph, RefusedError, capture_on_cpu
from tests.naturalinversion.small_methods import network

EPOCHS, STEPS = 2, 2
SMALL = {"batch_size": 6, "latent": 8, "generator_width": 0.125}
STUDENT_STEPS = {"dafl": {}, "dfad": {"student_steps": 2}}
# Learning rates are float32 tensors on a device; these are exact in float32.
RATES = {"rate_generator": 2**-10, "rate_student": 2**-4, "gamma": 0.5}
JOINT: list[tuple[str, str, dict[str, Any]]] = [
    ("dafl", "vgg5", {}),  # with dropout
    (
        "dafl",
        "mobilenetv2",
        {"momentum": 0.0, "milestones": (0.5,), "generator_schedule": True},
    ),
    ("dfad", "resnet18", {}),
]
TINY = WassersteinSettings(
    iterations=6,
    critic_steps=2,
    batch_size=4,
    generator_batch_size=6,
    latent=8,
    width=0.01,
    rate=1e-3,
)


class Joint:
    """A joint method and its student, trained."""

    def __init__(self, name: str, arch: str, settings: dict[str, Any], **training: Any) -> None:
        method: Any = METHODS[name](
            **{"epochs": EPOCHS, "steps": STEPS, **SMALL, **STUDENT_STEPS[name]},
            **{**RATES, **settings},
        )
        teacher = Teacher(network("vgg5", 0), num_classes=10, image_shape=(3, 16, 16))
        self.student = network(arch, 1)
        method.prepare(teacher, self.student, 0, Training(**training))
        made: Batch = method.batch(torch.zeros(4, dtype=torch.int64), 0, lambda done: None)
        self.tensors = {"images": made.images, **made.losses, **method._generator.state_dict()}
        self.tensors |= {f"student.{n}": t for n, t in self.student.state_dict().items()}


def assert_close(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize(("name", "arch", "settings"), JOINT, ids=lambda value: str(value))
def test_a_captured_joint_step_is_the_step(
    name: str, arch: str, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """Student, its batch norms and its images are those of the loop."""
    expected = Joint(name, arch, settings)
    made: list[FakeGraph] = request.getfixturevalue("graphs")
    found = Joint(name, arch, settings)
    assert_close(found.tensors, expected.tensors, 1e-9)
    assert [graph.replayed for graph in made] == [EPOCHS * STEPS]
    assert not found.student.training


@pytest.mark.parametrize(("name", "arch"), [("dafl", "vgg5"), ("dfad", "vgg5")])
def test_a_captured_training_that_was_interrupted_ends_with_the_same_bytes(
    name: str, arch: str, graphs: list[FakeGraph]
) -> None:
    saved: list[dict[str, Any]] = []
    whole = Joint(name, arch, {}, save=lambda state: saved.append(copy.deepcopy(state)))
    resumed = Joint(name, arch, {}, restore=lambda: saved[0])
    assert_close(resumed.tensors, whole.tensors, 0.0)
    assert len(graphs) == 2


def test_a_checkpoint_of_a_gpu_resumes_on_a_cpu_and_the_reverse() -> None:
    """Options of optimisers are the device's, not the checkpoint's."""
    on_cpu: list[dict[str, Any]] = []
    expected = Joint("dafl", "vgg5", {}, save=lambda s: on_cpu.append(copy.deepcopy(s)))
    with pytest.MonkeyPatch.context() as patch:
        made = capture_on_cpu(patch)
        captured: list[dict[str, Any]] = []
        Joint("dafl", "vgg5", {}, save=lambda s: captured.append(copy.deepcopy(s)))
        here = Joint("dafl", "vgg5", {}, restore=lambda: on_cpu[0])
        assert len(made) == 2
    there = Joint("dafl", "vgg5", {}, restore=lambda: captured[0])
    assert_close(here.tensors, expected.tensors, 1e-9)
    assert_close(there.tensors, expected.tensors, 1e-9)


def noise(count: int, draws: torch.Generator) -> Tensor:
    return torch.rand(count, 3, 8, 8, generator=draws) * 2 - 1


def trained(settings: WassersteinSettings = TINY, **training: Any) -> dict[str, Tensor]:
    """Images, losses and weights of a trained WGAN-GP."""
    gan = WassersteinGAN(settings, 8)
    gan.train(noise, seed=0, training=Training(**training))
    networks = {**gan.generator.state_dict(prefix="g."), **gan.critic.state_dict(prefix="c.")}
    return {"images": gan.sample(5, 9), **gan.losses, **networks}


def test_wgan_gp_with_the_gradient_of_its_gradient_is_captured(
    request: pytest.FixtureRequest,
) -> None:
    expected = trained()
    made: list[FakeGraph] = request.getfixturevalue("graphs")
    assert_close(trained(), expected, 1e-4)
    assert [graph.replayed for graph in made] == [TINY.iterations]


def test_wgan_gp_captured_and_interrupted_ends_with_the_same_bytes(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines.wgan_gp.CHECK_EVERY", 2)
    saved: list[dict[str, Any]] = []
    whole = trained(save=lambda state: saved.append(copy.deepcopy(state)))
    assert [len(state["history"]) for state in saved] == [2, 4, 6]
    for state in (saved[0], saved[-1]):  # nothing is left to do of the last
        assert_close(trained(restore=lambda state=state: copy.deepcopy(state)), whole, 0.0)


def test_wgan_gp_notices_a_loss_that_is_not_finite_without_waiting(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baselines.wgan_gp.CHECK_EVERY", 2)
    monkeypatch.setattr("naturalinversion.inversion.loss_history.COPY_EVERY", 4)
    calls = 0

    def draw(count: int, draws: torch.Generator) -> Tensor:
        nonlocal calls
        calls += 1
        return noise(count, draws) * (torch.nan if calls > 5 * TINY.critic_steps else 1)

    done: list[int] = []
    gan = WassersteinGAN(replace(TINY, iterations=20), 8)
    with pytest.raises(DivergedError, match=r"critic became nan at iteration 5$"):
        gan.train(draw, seed=0, training=Training(progress=done.append))
    assert len(done) == 12
    assert Event.waited == 2


@pytest.mark.parametrize("name", ["dafl", "dfad"])
def test_the_captured_step_is_freed_after_the_training(name: str, graphs: list[FakeGraph]) -> None:
    gc.disable()
    try:
        made = Joint(name, "vgg5", {})
        only = weakref.ref(graphs.pop())
        assert only() is None
        assert not made.student.training
    finally:
        gc.enable()


def test_what_a_gpu_refuses_in_a_joint_step_is_refused(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads(student: Tensor, teacher: Tensor) -> Tensor:
        return F.l1_loss(student, teacher) * float(student.detach().sum() != 0)

    monkeypatch.setattr("naturalinversion.priors.disagreement", reads)
    with pytest.raises(RefusedError, match="_local_scalar_dense"):
        Joint("dfad", "vgg5", {})
