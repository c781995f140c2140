"""Somebody else's classifier that can't be captured: methods run eagerly on a GPU, and say so."""

import random
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines import METHODS
from naturalinversion import Batch, Teacher, Training
from naturalinversion.errors import NaturalInversionWarning
from naturalinversion.inversion.foreign_networks import is_foreign
from tests.naturalinversion.fake_cuda_graph import FakeGraph
from tests.naturalinversion.small_methods import (
    ITERATIONS,
    LABELS,
    SMALL,
    assert_close,
    assert_identical,
    batch,
    network,
)


class Wrapped(nn.Module):
    """A network of the library within somebody's module."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.inner = network("vgg5", seed)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.inner(images)
        return out


class ReadsBack(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        out = super().forward(images)
        return out if bool(out.isfinite().all()) else -out


class DrawsOnTheHost(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        out = super().forward(images)
        return out if random.random() < 2 else -out


REFUSED = [
    (ReadsBack, "_local_scalar_dense"),
    (DrawsOnTheHost, "it draws random numbers on the host"),
]
JOINT = {"epochs": 1, "steps": 2, "batch_size": 4, "latent": 8, "generator_width": 0.125}
JOINT |= {"rate_generator": 2**-10, "rate_student": 2**-4}  # exact in a device's float32


def prepared(name: str, settings: dict[str, Any], model: nn.Module, student: nn.Module) -> Any:
    """The method with this classifier and this student."""
    method: Any = METHODS[name](**settings)
    teacher = Teacher(model, num_classes=10, image_shape=(3, 16, 16))
    method.prepare(teacher, student, 0, Training())
    return method


@pytest.mark.parametrize(("kind", "reason"), REFUSED)
@pytest.mark.parametrize("name", ["di", "ni"])
def test_a_teacher_that_cannot_be_captured_is_inverted_eagerly(
    name: str, kind: type[Wrapped], reason: str, request: pytest.FixtureRequest
) -> None:
    settings = {"iterations": ITERATIONS, **(SMALL if name == "ni" else {})}

    def make() -> Any:
        return prepared(name, settings, kind(0), network("vgg5", 1))

    def next_draw() -> float:
        drawn = random.random()
        random.seed(0)
        return drawn

    next_draw()
    method = make()
    alone = [batch(method, seed) for seed in (0, 1)]
    drawn_alone = next_draw()
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    method = make()
    with pytest.warns(NaturalInversionWarning, match=f"without a CUDA graph.*{reason}") as said:
        first = batch(method, 0)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        second = batch(method, 1)
    assert next_draw() == drawn_alone  # the trial drew nothing
    assert not any(graph.replayed for graph in graphs)
    assert_identical(first, alone[0])
    assert_identical(second, alone[1])


def test_a_teacher_of_somebody_that_can_be_captured_is(request: pytest.FixtureRequest) -> None:
    def make() -> Any:
        return prepared("di", {"iterations": ITERATIONS}, Wrapped(0), network("vgg5", 1))

    alone = batch(make())
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    assert_close(batch(make()), alone)
    assert [graph.replayed for graph in graphs] == [ITERATIONS]


class ReplacesABuffer(Wrapped):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.register_buffer("mean", torch.zeros(10, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        out = super().forward(images)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * out.detach().mean(0)
        return out - self.mean


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        *((name, ReadsBack, "_local_scalar") for name in ("adi", "dafl", "dfad")),
        *((name, ReplacesABuffer, "a buffer is replaced") for name in ("dafl", "dfad")),
    ],
)
def test_a_student_that_cannot_be_captured_is_used_eagerly(
    name: str, kind: type[Wrapped], reason: str, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, Any] = {"iterations": ITERATIONS} if name == "adi" else JOINT

    def make() -> tuple[Batch, Wrapped]:
        student = kind(1)
        return batch(prepared(name, settings, network("vgg5", 0), student)), student

    alone, expected = make()
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    with pytest.warns(NaturalInversionWarning, match=f"without a CUDA graph.*{reason}"):
        made, student = make()
    assert not any(graph.replayed for graph in graphs)
    assert_close(made, alone)
    for tensor, other in zip(student.buffers(), expected.buffers(), strict=True):
        torch.testing.assert_close(tensor, other, rtol=1e-6, atol=1e-8)


class BackwardReadsBack(Wrapped):
    """A teacher that is noticed while DFAD has its student frozen."""

    def forward(self, images: Tensor) -> Tensor:
        out = super().forward(images)
        if out.requires_grad:
            out.register_hook(lambda gradient: gradient * float(gradient.isfinite().all()))
        return out


def test_a_refused_trial_leaves_the_student_trainable(request: pytest.FixtureRequest) -> None:
    def make() -> Batch:
        return batch(prepared("dfad", JOINT, BackwardReadsBack(0), network("vgg5", 1)))

    alone = make()
    request.getfixturevalue("graphs")
    with pytest.warns(NaturalInversionWarning, match="without a CUDA graph"):
        assert_close(make(), alone)


def test_every_kind_of_batch_is_tried_once(graphs: list[FakeGraph]) -> None:
    settings = {"iterations": ITERATIONS}
    method = prepared("di", settings, ReadsBack(0), network("vgg5", 1))
    with pytest.warns(NaturalInversionWarning, match="without a CUDA graph") as said:
        made = [method.batch(LABELS[:size], 0, lambda done: None) for size in (6, 4, 6, 4)]
    assert [len(one.images) for one in made] == [6, 4, 6, 4]
    assert len(said) == 2


def test_whose_code_a_network_runs() -> None:
    model = network("vgg5", 0)
    assert not is_foreign(model)
    assert is_foreign(Wrapped(0))
    assert is_foreign(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2))))
    model.register_forward_hook(lambda module, given, out: out)
    assert is_foreign(model)


def test_an_error_of_the_teacher_is_the_users_to_see(graphs: list[FakeGraph]) -> None:
    class Broken(Wrapped):
        broken = False

        def forward(self, images: Tensor) -> Tensor:
            if self.broken:
                raise ValueError("no such layer")
            return super().forward(images)

    method = prepared("di", {"iterations": 2}, Broken(0), network("vgg5", 1))
    Broken.broken = True
    with (
        pytest.warns(NaturalInversionWarning, match="no such layer"),
        pytest.raises(ValueError, match="no such layer"),
    ):
        batch(method)
    assert not graphs
