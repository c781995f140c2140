"""Shifts and mirroring of the images: how they are drawn."""

from typing import Any

import pytest
import torch

from baselines import METHODS
from naturalinversion.inversion.jitter import draw_shifts
from naturalinversion.seeds import generator

COUNT = 4000
HALF, QUARTER, FIFTH = (  # with five standard deviations of their share
    pytest.approx(share, abs=5 * (share * (1 - share) / COUNT) ** 0.5)
    for share in (1 / 2, 1 / 4, 1 / 5)
)


def test_mirroring_is_drawn_for_each_place_and_each_comes_half_of_the_time() -> None:
    draws = draw_shifts(COUNT, 2, True, generator(0))
    flips = torch.tensor([(inside.flip, before_loss.flip) for inside, before_loss in draws])
    assert flips.float().mean(dim=0).tolist() == [HALF, HALF]
    assert flips.all(dim=1).float().mean().item() == QUARTER


def test_offsets_are_drawn_for_each_place_and_axis_and_each_comes_as_often() -> None:
    draws = draw_shifts(COUNT, 2, True, generator(0))
    offsets = torch.tensor([[(s.dy, s.dx) for s in each] for each in draws]).flatten(1)  # (E, 4)
    for column in offsets.T:
        shares = torch.bincount(column + 2, minlength=5) / COUNT
        assert shares.tolist() == [FIFTH] * 5
    for one in range(4):
        for other in range(one):
            same = (offsets[:, one] == offsets[:, other]).float().mean().item()
            assert same == FIFTH, (one, other)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", ["di", "adi", "ni", "ni_adi"])
def test_images_are_moved_and_mirrored_as_the_method_is_set(name: str, flip: bool) -> None:
    method: Any = METHODS[name](iterations=100, jitter=3, flip=flip)
    shifts = [shift for both in method.draws(0) for shift in both]
    assert any(shift.flip for shift in shifts) == flip
    assert {shift.dy for shift in shifts} == {shift.dx for shift in shifts} == set(range(-3, 4))
    still: Any = METHODS[name](iterations=100, jitter=0, flip=False)
    assert {shift for both in still.draws(0) for shift in both} == {type(shifts[0])(0, 0)}
