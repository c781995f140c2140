"""The training loop: what it learns, what it leaves alone, what an interruption costs: nothing."""

import itertools
import logging
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.accuracy import accuracy
from benchmarks.training.learning_rate import learning_rate
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.errors import BenchmarkError, UsageError
from tests.benchmarks.training.small import RECIPE, make_dataset, make_model, run, same


class OneWeight(nn.Module):
    """A single parameter w, 1 at first, that the images play no part in."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))


def weights_of(recipe: TrainingRecipe, slope: float, curvature: float) -> list[float]:
    """w before each update and after the last, where the loss is slope w + curvature w^2 / 2."""
    history: list[float] = []

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        assert isinstance(model, OneWeight)
        history.append(model.weight.item())
        return slope * model.weight + curvature * model.weight**2 / 2

    model = OneWeight()
    run(model, recipe, loss=loss)
    return [*history, model.weight.item()]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16])
def test_it_learns_from_pixels_and_from_teacher_space(dtype: torch.dtype) -> None:
    model, dataset = make_model(dropout=0.0), make_dataset(96, dtype)
    recipe = msgspec.structs.replace(RECIPE, epochs=8)
    history = run(model, recipe, dataset, evaluate=lambda network: accuracy(network, dataset))
    assert history.last_accuracy == 1.0
    assert history.losses[-1] < 0.3 * history.losses[0]
    assert [epoch for epoch, _ in history.accuracies] == list(range(1, 9))
    assert history.images == 8 * 96
    assert not model.training


@pytest.mark.parametrize(
    "schedule",
    [
        {"warmup": 0.2, "milestones": (0.5, 0.75)},
        {"warmup": 0.2, "schedule": "cosine"},
        {"schedule": "constant"},
    ],
    ids=["steps", "cosine", "constant"],
)
def test_every_update_is_made_with_the_rate_in_its_middle(schedule: dict[str, Any]) -> None:
    """With a slope of 1, neither momentum nor decay, an update lowers the weight by the rate."""
    recipe = TrainingRecipe(
        epochs=5, updates_per_epoch=4, lr=0.3, momentum=0, weight_decay=0, crop=0, **schedule
    )
    history = weights_of(recipe, slope=1.0, curvature=0.0)
    rates = [before - after for before, after in itertools.pairwise(history)]
    expected = [learning_rate(recipe, (update + 0.5) / 20) for update in range(20)]
    assert rates == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("momentum", "decay", "nesterov"),
    [(0.0, 0.0, False), (0.0, 0.3, False), (0.9, 0.0, False), (0.9, 0.0, True), (0.9, 0.3, True)],
)
def test_three_updates_are_those_of_sgd_written_out(
    momentum: float, decay: float, nesterov: bool
) -> None:
    """g is the gradient plus d w, v becomes m v + g; w falls by r v, or by r (g + m v)."""
    recipe = TrainingRecipe(
        **{"epochs": 3, "updates_per_epoch": 1, "lr": 0.2, "schedule": "constant", "crop": 0},
        **{"momentum": momentum, "weight_decay": decay, "nesterov": nesterov},
    )
    weight, velocity, expected = 1.0, 0.0, [1.0]
    for _ in range(3):
        gradient = 0.5 + 2 * weight + decay * weight
        velocity = momentum * velocity + gradient
        weight -= 0.2 * (gradient + momentum * velocity if nesterov else velocity)
        expected.append(weight)
    assert weights_of(recipe, slope=0.5, curvature=2.0) == pytest.approx(expected, abs=1e-6)


def test_same_seed_same_bytes_other_seed_other_bytes() -> None:
    first, second, other = make_model(), make_model(), make_model()
    run(first)
    run(second)
    run(other, seed=6)
    assert same(first, second)
    assert not same(first, other)


@pytest.mark.parametrize("stop_after", [1, 3])
def test_interrupted_and_resumed_equals_uninterrupted(stop_after: int, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    alone, stopped, resumed = make_model(), make_model(), make_model()
    expected = run(alone, evaluate=lambda network: 0.5)
    calls = itertools.count(1)

    def interrupt(network: nn.Module) -> float:
        if next(calls) > stop_after:
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(KeyboardInterrupt):
        run(stopped, evaluate=interrupt, checkpoint=Checkpoint(path, every=0))
    seen: list[int] = []

    def count(network: nn.Module) -> float:
        seen.append(1)
        return 0.5

    history = run(resumed, evaluate=count, checkpoint=Checkpoint(path, every=0))
    assert len(seen) == RECIPE.epochs - stop_after  # what was done is not done twice
    assert same(alone, resumed)
    assert history == expected
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    first, second = make_model(), make_model()
    expected = run(first, checkpoint=Checkpoint(path))

    def refuse(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        raise AssertionError("a step was made")

    assert run(second, loss=refuse, checkpoint=Checkpoint(path)) == expected
    assert same(first, second)


@pytest.mark.parametrize("damaged", [True, False])
def test_a_checkpoint_that_cannot_be_used_is_reported_and_ignored(
    damaged: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "state.pt"
    other = RECIPE if damaged else msgspec.structs.replace(RECIPE, lr=0.01)
    run(make_model(), other, checkpoint=Checkpoint(path))
    if damaged:
        path.write_bytes(path.read_bytes()[:-1])
    model, alone = make_model(), make_model()
    with caplog.at_level(logging.WARNING):
        run(model, checkpoint=Checkpoint(path))
    run(alone)
    assert same(model, alone)
    assert "state.pt" in caplog.text
    assert "starts again" in caplog.text


def test_an_epoch_does_not_depend_on_the_global_state_nor_change_it() -> None:
    first, second = make_model(), make_model()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    run(first)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    run(second)
    assert same(first, second)


def test_weights_spoilt_by_the_last_update_are_noticed(tmp_path: Path) -> None:
    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        value = F.cross_entropy(model(images), labels)
        value.register_hook(lambda gradient: gradient * math.inf)  # type: ignore[no-untyped-call]
        return value

    recipe = msgspec.structs.replace(RECIPE, epochs=1, updates_per_epoch=1)
    path = tmp_path / "state.pt"
    with pytest.raises(BenchmarkError, match="not finite after the last update"):
        run(make_model(), recipe, loss=loss, checkpoint=Checkpoint(path))
    assert not path.exists()


def test_a_mask_that_was_infinite_before_is_no_divergence() -> None:
    model = make_model()
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    run(model, msgspec.structs.replace(RECIPE, epochs=1))
    assert model.mask.tolist() == [0.0, -math.inf]  # type: ignore[operator,union-attr]


def test_best_accuracy_is_kept_apart_from_the_last() -> None:
    values = iter([0.2, 0.9, 0.4, 0.6])
    history = run(make_model(), evaluate=lambda network: next(values))
    assert (history.last_accuracy, history.best_accuracy) == (0.6, 0.9)
    only_last = run(
        make_model(), msgspec.structs.replace(RECIPE, evaluate_every=0), evaluate=lambda _: 0.3
    )
    assert only_last.accuracies == ((4, 0.3),)


def test_images_that_do_not_suit_the_recipe() -> None:
    with pytest.raises(UsageError, match="two images"):
        run(make_model(), dataset=make_dataset(1))
    with pytest.raises(UsageError, match="crop 8"):
        run(make_model(), msgspec.structs.replace(RECIPE, crop=8, padding="reflect"))


def test_in_bf16_products_round_and_weights_and_losses_do_not() -> None:
    full, half = make_model(), make_model()
    losses = [run(full).losses, run(half, precision="bf16").losses]
    assert not same(full, half)
    assert all(value.dtype != torch.bfloat16 for value in half.state_dict().values())
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_tf32_on_a_cpu_is_fp32() -> None:
    full, asked = make_model(), make_model()
    run(full)
    run(asked, precision="tf32")
    assert same(full, asked)


def test_the_usual_memory_layout_is_left_behind() -> None:
    model = make_model()
    run(model)
    assert all(value.is_contiguous() for value in model.state_dict().values())
