"""What a check says it can see is what it sees."""

import numpy as np
import pytest

from reports.regression.accepted import Accepted
from reports.regression.check import compare_seeds
from reports.regression.limits import allowance
from reports.regression.power import power_markdown, smallest_seen

HERE = "cpu in fp32"
NUMBERS = 12


def accepted(sd: float, n: int = 18, unit: str = "%") -> Accepted:
    draws = np.random.default_rng(1).normal(0, 1, n)
    draws = (draws - draws.mean()) / draws.std(ddof=1)
    return accepted_values(*(70 + sd * draws), unit=unit)


def accepted_values(*values: float, unit: str = "%") -> Accepted:
    found, n = tuple(map(float, values)), len(values)
    named, spread = ("ni", "student", "test_accuracy", unit), float(np.std(found, ddof=1))
    of = (float(np.mean(found)), spread, n, found, tuple(range(n)))
    return Accepted(*named, *of, "cpu", "fp32", "torch=1", "abc", tuple(map(str, range(n))))


def seeds(n: int) -> list[int]:
    """None of the accepted ones."""
    return list(range(100, 100 + n))


def share_found(shift: float, n: int, accepted_n: int = 18) -> float:
    """Of checks on normal noise, each of which has accepted values of its own."""
    draws = np.random.default_rng(2)
    checks = [
        (accepted_values(*draws.normal(70, 2, accepted_n)), draws.normal(70 - shift, 2, n).tolist())
        for _ in range(200)
    ]
    return float(np.mean([compare_seeds(*check, NUMBERS)["differs"] for check in checks]))


@pytest.mark.parametrize(("accepted_n", "n"), [(18, 2), (18, 4), (18, 6), (8, 2), (8, 8)])
def test_what_is_seen_is_found_and_half_of_it_often_not(accepted_n: int, n: int) -> None:
    seen = smallest_seen(accepted(2.0, accepted_n), seeds(n), NUMBERS, HERE)
    assert share_found(1.1 * seen, n, accepted_n) > 0.9
    assert share_found(0.5 * seen, n, accepted_n) < 0.9


def test_less_spread_and_more_seeds_see_less() -> None:
    wide, narrow = (smallest_seen(accepted(sd), seeds(4), NUMBERS, HERE) for sd in (8.0, 1.0))
    assert wide > 20
    assert narrow < 4
    assert smallest_seen(accepted(8.0), seeds(8), NUMBERS, HERE) < wide


def test_numbers_that_are_all_zero_have_an_answer() -> None:
    assert (
        0 < smallest_seen(accepted_values(0.0, 0.0, 0.0, unit=""), seeds(4), NUMBERS, HERE) < 1e-3
    )


def test_without_spread_what_is_never_a_fault_is_not_seen() -> None:
    assert smallest_seen(accepted(1e-9), seeds(4), NUMBERS, HERE) >= 1.0


def test_what_three_accepted_seeds_see_is_no_less_than_what_they_allow() -> None:
    few = accepted(1.0, n=3)
    assert smallest_seen(few, seeds(2), NUMBERS, HERE) > allowance(few, 2, NUMBERS) > 22


def test_a_row_for_each_number() -> None:
    text = power_markdown([accepted(2.0), accepted(8.0, unit="")], seeds(4), NUMBERS, HERE)
    assert text.count("\n") == 3
    assert "70 ± 2 %" in text
