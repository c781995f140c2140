"""Captured steps: replays on emulated CUDA graphs give the batches of the eager loop."""

from typing import Any

import pytest
import torch
from torch import Tensor

from naturalinversion.inversion.cuda_graph import CapturedStep
from naturalinversion.inversion.objective import Objective
from tests.naturalinversion.fake_cuda_graph import FakeGraph, RefusedError
from tests.naturalinversion.small_methods import CASES, assert_close, batch, prepared

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda value: str(value))
def test_a_replayed_batch_is_the_batch(
    name: str, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    expected = batch(prepared(name, settings))
    made: list[FakeGraph] = request.getfixturevalue("graphs")
    assert_close(batch(prepared(name, settings)), expected)
    assert [graph.replayed for graph in made] == [len(expected.losses["total"])]


@pytest.mark.parametrize("name", ["di", "ni"])
def test_in_bf16_a_replayed_batch_ends_where_the_loop_does(
    name: str, request: pytest.FixtureRequest
) -> None:
    def end() -> float:
        made = batch(prepared(name, {"iterations": 10}, precision="bf16"))
        return float(made.losses["total"][-5:].mean())

    expected = end()
    request.getfixturevalue("graphs")
    assert end() == pytest.approx(expected, rel=0.05)


def test_the_capture_does_not_count_as_a_step(graphs: list[FakeGraph]) -> None:
    """It restores weights, momentum and the global random state."""
    weight = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, fused=True)
    noise = torch.zeros(3)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = (weight * torch.rand_like(noise)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    def state() -> list[Tensor]:
        return [weight, *(s["momentum_buffer"] for s in optimizer.state.values())]

    random = torch.get_rng_state()
    run = CapturedStep(step, CPU, state)
    assert torch.equal(weight, torch.ones(3))
    assert [tensor.tolist() for tensor in state()[1:]] == [[0.0] * 3]
    assert torch.equal(torch.get_rng_state(), random)
    torch.manual_seed(5)
    losses = [run().item() for _ in range(3)]
    torch.manual_seed(5)
    weight.data.fill_(1.0)
    optimizer.state.clear()
    assert losses == [step().item() for _ in range(3)]


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda images: images.sum().item(), "_local_scalar_dense"),
        (lambda images: images[images > 0].sum(), "index"),
        (lambda images: images.new_tensor([1.0]), "lift_fresh"),
        (lambda images: images + torch.zeros(3, 1, 1), "device"),
    ],
)
def test_what_a_gpu_refuses_is_refused(
    spoil: Any, refused: str, graphs: list[FakeGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = Objective.terms

    def spoiled(objective: Objective, images: Tensor) -> dict[str, Tensor]:
        spoil(images)
        return terms(objective, images)

    monkeypatch.setattr(Objective, "terms", spoiled)
    with pytest.raises((RefusedError, RuntimeError), match=refused):
        batch(prepared("di", {}))
    assert len(graphs) == 1
