"""The optimisation loop: shifts on the device, precision, schedules, plateaus, the best iterate."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines import METHODS
from baselines.deep_inversion import Pixels
from naturalinversion import Teacher, Training, priors
from naturalinversion.classifiers import build
from naturalinversion.errors import SettingError
from naturalinversion.inversion.invert import Keep, invert
from naturalinversion.inversion.jitter import Shift, ShiftTable, draw_shifts
from naturalinversion.inversion.method import InversionMethod
from naturalinversion.inversion.objective import Objective, Weights
from naturalinversion.inversion.step import DeviceShifts, HostShifts, ShiftSource, Step
from naturalinversion.precision import Precision
from naturalinversion.seeds import derive, generator, seeded
from naturalinversion.synthesis import Batch, balanced_labels

LABELS = balanced_labels(12, 10, 0)
SMALL = {"latent": 16, "generator_width": 0.125}


@pytest.fixture(scope="module")
def model() -> nn.Module:
    """A small network whose running statistics are of smooth images, not of noise."""
    with seeded(0):
        network = build("vgg11", 10, 0.125).train()
        with torch.no_grad():
            for _ in range(15):
                network(F.interpolate(2 * torch.randn(32, 3, 4, 4), scale_factor=4))
    return network


def made(model: nn.Module, name: str, precision: Precision = "fp32", **settings: Any) -> Batch:
    """One batch of the method."""
    return method(model, name, precision, **settings).batch(LABELS, 0, lambda done: None)


def method(model: nn.Module, name: str, precision: Precision = "fp32", **settings: Any) -> Any:
    """The method, prepared for the network."""
    small = SMALL if name == "ni" else {}
    found = METHODS[name](**{"iterations": 20, **small, **settings})
    shape = (3, 16, 16)
    teacher = Teacher(model, num_classes=10, image_shape=shape, precision=precision)
    found.prepare(teacher, None, 0, Training())
    return found


def test_a_table_of_shifts_gives_the_same_images_and_gradients() -> None:
    shifts = [Shift(0, 0), Shift(1, -2), Shift(-1, 2, True), Shift(0, 1, True), Shift(2, 0)]
    images = torch.randn(2, 3, 8, 6, generator=generator(0), dtype=torch.float64)
    table = ShiftTable(shifts, (8, 6), torch.device("cpu"))
    for number, by in enumerate(shifts):
        move = table.at(torch.tensor([number]))
        assert torch.equal(move(images), by(images))
        leaf = images.clone().requires_grad_()
        assert torch.autograd.gradcheck(move, (leaf,))


@pytest.mark.parametrize("name", ["di", "ni"])
def test_a_step_with_shifts_on_the_device_is_the_step(name: str, model: nn.Module) -> None:
    """Shifts given by the host and looked up on the device agree, up to rounding."""

    def ends(on_device: bool) -> tuple[Tensor, dict[str, Tensor]]:
        found = method(copy.deepcopy(model).double(), name, iterations=8)
        draws, source = found.draws(0), found.source(LABELS, 0)
        assert source.capturable
        shifts: ShiftSource = HostShifts(draws)
        if on_device:
            shifts = DeviceShifts(draws, (16, 16), torch.device("cpu"))
        objective = Objective(found._teacher, LABELS, found.weights(len(LABELS)))
        step = Step(source, objective, shifts, 8, keep_best=True, schedule="cosine")
        for _ in range(8):
            step()
        assert step.best is not None
        step.best.restore()
        with torch.no_grad():
            return source.render(None).clone(), step.history.to_host(8)

    (host, histories), (device, expected) = ends(False), ends(True)
    torch.testing.assert_close(host, device, rtol=1e-6, atol=1e-9)
    for term, history in histories.items():
        torch.testing.assert_close(history, expected[term], rtol=1e-6, atol=1e-9, msg=term)


@pytest.mark.parametrize("name", ["di", "ni"])
def test_in_bf16_a_batch_ends_where_float32_does_within_a_few_percent(
    name: str, model: nn.Module
) -> None:
    full, half = (made(model, name, p, iterations=20) for p in ("fp32", "bf16"))
    assert half.images.dtype == torch.float32
    assert not torch.equal(full.images, half.images)
    for term in ("bn_statistics", "total"):
        ends = [float(batch.losses[term][-5:].mean()) for batch in (full, half)]
        assert ends[1] == pytest.approx(ends[0], rel=0.05), term
    assert float(half.losses["total"][-1]) < 0.8 * float(half.losses["total"][0])


def test_statistics_in_bf16_are_those_of_float32(model: nn.Module) -> None:
    """Maps are rounded, means and variances over them hardly differ."""
    images = torch.randn(16, 3, 16, 16, generator=generator(0))
    teacher = Teacher(model, num_classes=10, image_shape=(3, 16, 16))
    full = teacher.observe(images, statistics=True)
    with torch.autocast("cpu", torch.bfloat16):
        half = teacher.observe(images, statistics=True)
    assert half.logits.dtype == torch.bfloat16
    for one, other in zip(full.statistics, half.statistics, strict=True):
        assert other.mean.dtype == other.variance.dtype == torch.float32
        torch.testing.assert_close(other.variance, one.variance, rtol=0.1, atol=0.02)


def test_a_cosine_schedule_ends_with_small_steps(model: nn.Module) -> None:
    """The first step is the same; with a large learning rate the loss ends lower."""
    ends = {
        schedule: made(model, "di", iterations=30, rate=1.0, schedule=schedule).losses["total"]
        for schedule in ("constant", "cosine")
    }
    assert float(ends["cosine"][0]) == float(ends["constant"][0])
    assert float(ends["cosine"][-5:].mean()) < float(ends["constant"][-5:].mean())


def test_a_plateau_ends_a_batch_early(model: nn.Module) -> None:
    """With a learning rate of 0 the loss does not fall, so it ends after two windows."""
    still = {"rate": 0.0, "iterations": 16}
    assert len(made(model, "di", plateau=0.125, **still).losses["total"]) == 4
    assert len(made(model, "di", **still).losses["total"]) == 16
    falling = made(model, "di", plateau=0.25, iterations=16)
    assert len(falling.losses["total"]) == 16
    with pytest.raises(SettingError, match=r"plateau is 0\.6"):
        METHODS["di"](plateau=0.6)


def test_draws_are_uniform_in_the_jitter() -> None:
    draws = draw_shifts(2000, 2, True, generator(0))
    offsets = [value for draw in draws for value in (draw.loss.dy, draw.loss.dx)]
    for value in range(-2, 3):
        assert offsets.count(value) / len(offsets) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("name", ["di", "ni"])
def test_every_batch_and_every_seed_has_a_jitter_of_its_own(name: str) -> None:
    found = METHODS[name](iterations=20, jitter=2)
    assert isinstance(found, InversionMethod)
    draws = [found.draws(derive(seed, "batch", k)) for seed, k in ((0, 0), (0, 1), (1, 0))]
    assert all(len(shifts) == 20 for shifts in draws)
    assert draws[0] != draws[1]
    assert draws[0] != draws[2]
    assert found.draws(derive(0, "batch", 0)) == draws[0]
    offsets = {value for shift in draws[0] for value in (shift.loss.dy, shift.loss.dx)}
    assert offsets == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_iterate_kept_is_the_one_asked_for(
    keep: Keep, make_teacher: Callable[..., Teacher]
) -> None:
    """Steps of 1 on a norm go down, overshoot, and come back up."""
    start = torch.randn(8, 3, 16, 16, generator=generator(0))
    weights = Weights(cross_entropy=0.0, bn_statistics=0.0, l2=1.0)
    draws = draw_shifts(4, 0, False, generator(0))
    made = invert(
        Pixels(start, 1.0),
        Objective(make_teacher(), torch.arange(8) % 4, weights),
        draws,
        keep=keep,
    )
    history = made.losses["total"]
    assert 0 < history.argmin() < 3
    shown = priors.l2(made.images)
    if keep == "best":
        assert shown == history.min()
    else:
        assert shown > history.min()


def test_each_rate_falls_in_half_a_cosine_from_its_own_value(model: nn.Module) -> None:
    own = {"rate_generator": 1e-3, "rate_pyramid": 5e-4, "rate_scaling": 0.05}
    found = method(model, "ni", iterations=4, **own)
    objective = Objective(found._teacher, LABELS, found.weights(len(LABELS)))
    shifts = HostShifts(found.draws(0))
    step = Step(found.source(LABELS, 0), objective, shifts, 4, keep_best=False, schedule="cosine")
    for done in range(4):
        step()
        share = (1 + math.cos(math.pi * (done + 0.5) / 4)) / 2
        rates = [float(group["lr"]) for group in step.optimizer.param_groups]
        assert rates == pytest.approx([share * rate for rate in own.values()])
