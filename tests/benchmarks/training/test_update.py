"""The update on emulated CUDA graphs: trained as the loop trains, or eagerly where it can't be."""

import gc
import itertools
import random
import weakref
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.training.losses import Loss, cross_entropy_loss, distillation_loss
from benchmarks.training.update import CAPTURE_FROM
from naturalinversion import Teacher
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers import build
from naturalinversion.errors import NaturalInversionWarning
from naturalinversion.inversion.cuda_graph import eager
from naturalinversion.seeds import seeded
from tests.benchmarks.training.small import RECIPE, make_dataset, make_model, run, same
from tests.naturalinversion.fake_cuda_graph import FakeGraph, capture_on_cpu

FULL, EPOCHS = 3, RECIPE.epochs  # full batches of an epoch, which ends with one of two images
NESTEROV = msgspec.structs.replace(RECIPE, nesterov=True, lr=0.01, schedule="step", milestones=())


def network(arch: str) -> nn.Module:
    with seeded(3):
        return build(arch, 3, 0.0625)


def assert_close(first: nn.Module, second: nn.Module) -> None:
    """Learning rates are float32 tensors on a device that captures."""
    for name, value in first.state_dict().items():
        torch.testing.assert_close(value, second.state_dict()[name], rtol=1e-4, atol=1e-5, msg=name)


def distilled() -> Loss:
    teacher = Teacher(make_model().eval(), num_classes=3, image_shape=(3, 8, 8))
    return distillation_loss(teacher, 3.0)


def stop(after: int) -> Callable[[nn.Module], float]:
    """What a run evaluates: interrupts it after so many epochs."""
    calls = itertools.count(1)

    def evaluate(network: nn.Module) -> float:
        if next(calls) > after:
            raise KeyboardInterrupt
        return 0.5

    return evaluate


@pytest.mark.filterwarnings("ignore::naturalinversion.errors.TeacherWarning")
@pytest.mark.parametrize("make_loss", [cross_entropy_loss, distilled])
@pytest.mark.parametrize("make", [make_model, lambda: network("resnet18")], ids=["dropout", "res"])
def test_replayed_updates_are_the_updates(
    make: Callable[[], nn.Module],
    make_loss: Callable[[], Loss],
    request: pytest.FixtureRequest,
) -> None:
    """Weights and batch norms, their counts of batches too; a short batch is not replayed."""
    alone, replayed, apart = make(), make(), make()
    expected = run(alone, NESTEROV, loss=make_loss())
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    history = run(replayed, NESTEROV, loss=make_loss(), capture_from=1)
    assert [graph.replayed for graph in graphs] == [FULL * EPOCHS]
    assert history.losses == pytest.approx(expected.losses, rel=1e-5)
    assert_close(replayed, alone)
    with eager():
        run(apart, NESTEROV, loss=make_loss(), capture_from=1)
    assert len(graphs) == 1
    assert_close(apart, replayed)


@pytest.mark.parametrize("stop_after", [1, 3])
def test_interrupted_and_resumed_equals_uninterrupted(
    stop_after: int, tmp_path: Path, graphs: list[FakeGraph]
) -> None:
    alone, stopped, resumed = (make_model() for _ in range(3))
    expected = run(alone, evaluate=lambda _: 0.5, capture_from=1)

    def checkpoint() -> Checkpoint:
        return Checkpoint(tmp_path / "state.pt", every=0)

    with pytest.raises(KeyboardInterrupt):
        run(stopped, evaluate=stop(stop_after), checkpoint=checkpoint(), capture_from=1)
    history = run(resumed, evaluate=lambda _: 0.5, checkpoint=checkpoint(), capture_from=1)
    assert same(alone, resumed)
    assert history == expected
    assert len(graphs) == 3


def test_a_checkpoint_of_a_gpu_resumes_on_a_cpu(tmp_path: Path) -> None:
    alone, moved = make_model(), make_model()
    run(alone)
    with pytest.MonkeyPatch.context() as patch:
        graphs = capture_on_cpu(patch)
        checkpoint = Checkpoint(tmp_path / "state.pt", every=0)
        with pytest.raises(KeyboardInterrupt):
            run(make_model(), evaluate=stop(1), checkpoint=checkpoint, capture_from=1)
    assert len(graphs) == 1
    run(moved, checkpoint=Checkpoint(tmp_path / "state.pt"))
    assert_close(moved, alone)


class ReadsBack(nn.Sequential):
    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = super().forward(images)
        return out if bool(out.isfinite().all()) else -out


class DrawsOnTheHost(nn.Sequential):
    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = super().forward(images)
        return out if random.random() < 2 else -out


class DrawsWithNumPy(nn.Sequential):
    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = super().forward(images)
        return out if np.random.random() < 2 else -out


class ReplacesABuffer(nn.Sequential):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = super().forward(images)
        self.mean = 0.9 * self.mean + 0.1 * out.detach().mean(0)
        return out - self.mean


class MakesABuffer(nn.Sequential):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.register_buffer("mean", None)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = super().forward(images)
        now = out.detach().mean(0)
        self.mean = now if self.mean is None else 0.9 * self.mean + 0.1 * now
        return out - self.mean


class ReplacesMemory(nn.Sequential):
    def forward(self, images: Tensor) -> Tensor:
        for parameter in self.parameters():
            parameter.data = 0.99 * parameter.data
        out: Tensor = super().forward(images)
        return out


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (ReadsBack, "_local_scalar_dense"),
        (DrawsOnTheHost, "it draws random numbers on the host"),
        (DrawsWithNumPy, "it draws random numbers on the host"),
        (ReplacesABuffer, "a buffer is replaced"),
        (MakesABuffer, "a buffer is replaced"),
        (ReplacesMemory, "it gives a tensor other memory"),
    ],
)
def test_what_cannot_be_captured_is_trained_eagerly(
    kind: type[nn.Sequential], reason: str, request: pytest.FixtureRequest
) -> None:
    alone, fallen = kind(*make_model()), kind(*make_model())
    run(alone)
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    with pytest.warns(NaturalInversionWarning, match=f"without a CUDA graph.*{reason}") as warned:
        run(fallen, capture_from=1)
    assert len(warned) == 1
    assert len(graphs) <= 1
    assert all(not graph.replayed for graph in graphs)
    assert_close(fallen, alone)


def test_an_error_of_the_loss_is_the_users_to_see(graphs: list[FakeGraph]) -> None:
    def broken(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        raise ValueError("no such class")

    with (
        pytest.warns(NaturalInversionWarning, match="no such class"),
        pytest.raises(ValueError, match="no such class"),
    ):
        run(make_model(), loss=broken, capture_from=1)
    assert not graphs


def test_the_last_warm_up_may_not_wait_for_the_device(
    graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", events.append)

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        events.append("step")
        return F.cross_entropy(model(images), labels)

    recipe = msgspec.structs.replace(RECIPE, epochs=1)
    run(make_model(), recipe, make_dataset(48), loss, capture_from=1)
    assert events == ["step", "step", "error", "step", "default", "step"]
    assert graphs[0].replayed == FULL


def test_few_updates_are_not_captured(graphs: list[FakeGraph]) -> None:
    """By the whole run's number of them."""
    for updates, captured in ((CAPTURE_FROM - 1, 0), (CAPTURE_FROM, 1)):
        recipe = msgspec.structs.replace(RECIPE, epochs=1, batch_size=2, updates_per_epoch=updates)
        run(make_model(), recipe)
        assert len(graphs) == captured


def test_the_graph_is_freed_after_the_run(graphs: list[FakeGraph]) -> None:
    gc.disable()
    try:
        model = make_model()
        run(model, capture_from=1)
        only = weakref.ref(graphs.pop())
        assert only() is None
        assert all(parameter.grad is None for parameter in model.parameters())
    finally:
        gc.enable()
