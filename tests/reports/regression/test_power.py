"""What a check says it can see is what it sees."""

import numpy as np
import pytest

from reports.regression.accepted import Accepted
from reports.regression.check import allowance, compare_seeds
from reports.regression.power import power_markdown, smallest_seen

NUMBERS = 12


def accepted(sd: float, n: int = 18, unit: str = "%") -> Accepted:
    draws = np.random.default_rng(1).normal(0, 1, n)
    draws = (draws - draws.mean()) / draws.std(ddof=1)
    values = tuple(float(value) for value in 70 + sd * draws)
    seeds = tuple(range(n))
    keys = tuple(map(str, seeds))
    named = ("ni", "student", "test_accuracy", unit)
    return Accepted(*named, 70.0, sd, n, values, seeds, "cpu", "fp32", "torch=1", "abc", keys)


def seeds(n: int) -> list[int]:
    """None of the accepted ones."""
    return list(range(100, 100 + n))


def share_found(number: Accepted, shift: float, n: int) -> float:
    """Of checks on normal noise, none of it drawn from the accepted values."""
    draws = np.random.default_rng(2)
    checks = [draws.normal(number.mean - shift, number.sd, n) for _ in range(200)]
    return float(np.mean([compare_seeds(number, c.tolist(), NUMBERS)["differs"] for c in checks]))


@pytest.mark.parametrize("n", [2, 4, 6])
def test_what_is_seen_is_found_and_half_of_it_often_not(n: int) -> None:
    number = accepted(2.0)
    seen = smallest_seen(number, seeds(n), NUMBERS)
    assert share_found(number, 1.15 * seen, n) > 0.9
    assert share_found(number, 0.5 * seen, n) < 0.9


def test_less_spread_and_more_seeds_see_less() -> None:
    wide, narrow = (smallest_seen(accepted(sd), seeds(4), NUMBERS) for sd in (8.0, 1.0))
    assert wide > 20
    assert narrow < 4
    assert smallest_seen(accepted(8.0), seeds(8), NUMBERS) < wide


def test_without_spread_what_is_never_a_fault_is_not_seen() -> None:
    assert smallest_seen(accepted(1e-9), seeds(4), NUMBERS) >= 1.0


def test_what_three_accepted_seeds_see_is_no_less_than_what_they_allow() -> None:
    few = accepted(1.0, n=3)
    assert smallest_seen(few, seeds(2), NUMBERS) > allowance(few, 2, NUMBERS) > 22


def test_a_row_for_each_number() -> None:
    text = power_markdown([accepted(2.0), accepted(8.0, unit="")], seeds(4), NUMBERS)
    assert text.count("\n") == 3
    assert "70 ± 2 %" in text
