"""Somebody else's classifier that can't be captured: methods run eagerly on a GPU, and say so."""

import random
import warnings
from typing import Any

import pytest
from torch import Tensor, nn

from baselines import METHODS
from naturalinversion import Teacher, Training
from naturalinversion.errors import NaturalInversionWarning
from tests.naturalinversion.fake_cuda_graph import FakeGraph
from tests.naturalinversion.small_methods import (
    ITERATIONS,
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
        self.inner = network("resnet18", seed)

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
        return prepared(name, settings, kind(0), network("resnet18", 1))

    alone = [batch(make(), seed) for seed in (0, 1)]
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    method = make()
    with pytest.warns(NaturalInversionWarning, match=f"without a CUDA graph.*{reason}") as said:
        first = batch(method, 0)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        second = batch(method, 1)
    assert not any(graph.replayed for graph in graphs)
    assert_identical(first, alone[0])
    assert_identical(second, alone[1])


def test_a_teacher_of_somebody_that_can_be_captured_is(request: pytest.FixtureRequest) -> None:
    def make() -> Any:
        return prepared("di", {"iterations": ITERATIONS}, Wrapped(0), network("resnet18", 1))

    alone = batch(make())
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    assert_close(batch(make()), alone)
    assert [graph.replayed for graph in graphs] == [ITERATIONS]


@pytest.mark.parametrize("name", ["adi", "dafl", "dfad"])
def test_a_student_that_cannot_be_captured_is_used_eagerly(
    name: str, request: pytest.FixtureRequest
) -> None:
    settings: dict[str, Any] = {"iterations": ITERATIONS} if name == "adi" else JOINT

    def make() -> Any:
        return prepared(name, settings, network("resnet18", 0), ReadsBack(1))

    alone = batch(make())
    graphs: list[FakeGraph] = request.getfixturevalue("graphs")
    with pytest.warns(NaturalInversionWarning, match=r"without a CUDA graph.*_local_scalar"):
        made = batch(make())
    assert not any(graph.replayed for graph in graphs)
    assert_close(made, alone)


def test_an_error_of_the_teacher_is_the_users_to_see(graphs: list[FakeGraph]) -> None:
    class Broken(Wrapped):
        broken = False

        def forward(self, images: Tensor) -> Tensor:
            if self.broken:
                raise ValueError("no such layer")
            return super().forward(images)

    method = prepared("di", {"iterations": 2}, Broken(0), network("resnet18", 1))
    Broken.broken = True
    with (
        pytest.warns(NaturalInversionWarning, match="no such layer"),
        pytest.raises(ValueError, match="no such layer"),
    ):
        batch(method)
    assert not graphs
