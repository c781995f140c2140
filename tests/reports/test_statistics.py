"""Statistics of a few seeds claim no more than the seeds carry."""

import math

import pytest
from scipy import stats

from reports.statistics import (
    bootstrap_interval,
    compare_by_seed,
    correct_for_many,
    rank_marks,
    summarise,
)


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_mean_and_sample_sd() -> None:
    summary = summarise([1.0, 2.0, 4.0])
    assert summary.n == 3
    assert summary.mean == pytest.approx(7 / 3)
    assert summary.sd == pytest.approx(math.sqrt(7 / 3))


def test_no_sd_from_one_and_no_interval_from_two() -> None:
    assert summarise([1.0]).sd is None
    assert summarise([1.0, 2.0]).sd is not None
    assert summarise([1.0, 2.0]).low is None
    assert summarise([1.0, 2.0, 3.0]).low is not None
    with pytest.raises(ValueError, match="no values"):
        summarise([])


def test_the_interval_repeats_and_holds_the_mean() -> None:
    values = [0.90, 0.91, 0.95, 0.93]
    low, high = bootstrap_interval(values) or (0.0, 0.0)
    assert (low, high) == bootstrap_interval(values)
    assert min(values) <= low < sum(values) / 4 < high <= max(values)
    assert bootstrap_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_comparison_uses_the_seeds_both_have() -> None:
    first, second = {0: 1.0, 1: 2.0, 2: 3.5, 9: 100.0}, {0: 0.5, 1: 1.2, 2: 2.0, 7: -100.0}
    compared = compare_by_seed(first, second)
    assert compared.n == 3
    assert compared.difference == pytest.approx((0.5 + 0.8 + 1.5) / 3)
    assert compared.p_value == pytest.approx(
        stats.ttest_rel([1.0, 2.0, 3.5], [0.5, 1.2, 2.0]).pvalue
    )


def test_no_p_value_under_three_shared_seeds() -> None:
    assert compare_by_seed(by_seed(1.0, 2.0), by_seed(0.0, 0.0)).p_value is None
    assert compare_by_seed({0: 1.0}, {1: 1.0}).difference is None


@pytest.mark.filterwarnings("error")
def test_equal_differences_need_no_division_by_zero() -> None:
    assert compare_by_seed(by_seed(1, 2, 3), by_seed(1, 2, 3)).p_value == 1.0
    assert compare_by_seed(by_seed(0.3, 0.4, 0.5), by_seed(0.1, 0.2, 0.3)).p_value == 0.0


def test_correction_makes_many_tests_stricter_and_keeps_gaps() -> None:
    corrected = correct_for_many([0.01, None, 0.04])
    assert corrected == [pytest.approx(0.02), None, pytest.approx(0.04)]
    assert correct_for_many([None, None]) == [None, None]


def marks_of(row: dict[str, dict[int, float]], higher: bool = True) -> dict[str, str]:
    return dict(rank_marks([row], higher_is_better=higher)[0])


def test_best_and_second_when_told_apart() -> None:
    row = {
        "a": by_seed(0.50, 0.51, 0.49),
        "b": by_seed(0.90, 0.91, 0.92),
        "c": by_seed(0.80, 0.82, 0.81),
    }
    assert marks_of(row) == {"b": "best", "c": "second"}
    assert marks_of(row, higher=False) == {"a": "best", "c": "second"}


def test_no_best_inside_the_noise() -> None:
    row = {"a": by_seed(0.90, 0.80, 0.85), "b": by_seed(0.86, 0.85, 0.83)}
    assert marks_of(row) == {"a": "tied", "b": "tied"}


def test_two_seeds_cannot_tell() -> None:
    assert set(marks_of({"a": by_seed(0.9, 0.9), "b": by_seed(0.1, 0.1)}).values()) == {"tied"}


def test_one_seed_is_marked_as_it_stands() -> None:
    row = {"a": by_seed(0.9), "b": by_seed(0.8), "c": by_seed(0.7)}
    assert marks_of(row) == {"a": "best", "b": "second"}
    assert marks_of({"a": by_seed(0.9), "b": by_seed(0.9)}) == {"a": "tied", "b": "tied"}


def test_methods_not_run_do_not_compete() -> None:
    assert marks_of({"a": by_seed(0.9), "b": {}, "c": by_seed(0.7)}) == {"a": "best", "c": "second"}
    assert marks_of({"a": by_seed(0.9), "b": {}}) == {}


def test_many_rows_raise_the_bar() -> None:
    near = {"a": by_seed(1.00, 1.14, 1.20), "b": by_seed(0.90, 1.00, 1.12)}
    noise = {"a": by_seed(0.90, 0.80, 0.85), "b": by_seed(0.86, 0.85, 0.83)}
    assert rank_marks([near], higher_is_better=True)[0]["a"] == "best"
    assert rank_marks([near, *[noise] * 9], higher_is_better=True)[0]["a"] == "tied"
