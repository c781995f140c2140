"""Statistics of a few seeds claim no more than the seeds carry."""

import math
import statistics

import pytest
from scipy import stats

from reports.seed_statistics import (
    Ranking,
    compare_by_seed,
    correct_for_many,
    interval_of_mean,
    rank,
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


def test_the_interval_is_students() -> None:
    """Three degrees of freedom: 3.182 standard errors to both sides."""
    values = [0.90, 0.91, 0.95, 0.93]
    low, high = interval_of_mean(values) or (0.0, 0.0)
    error = statistics.stdev(values) / 2
    assert low == pytest.approx(0.9225 - 3.182446 * error)
    assert high == pytest.approx(0.9225 + 3.182446 * error)
    assert interval_of_mean([0.5, 0.5, 0.5]) == (0.5, 0.5)


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
    assert compare_by_seed(by_seed(0.3, 0.4, 0.5), by_seed(0.1, 0.2, 0.3)).p_value == 0.25
    assert compare_by_seed(by_seed(3, 4, 5, 6), by_seed(1, 2, 3, 4)).p_value == 0.125


def test_one_image_more_in_each_seed_is_not_best() -> None:
    first, second = by_seed(0.998, 0.996, 0.994), by_seed(0.996, 0.994, 0.992)
    assert marks_of({"a": first, "b": second, "c": by_seed(0.1, 0.2, 0.3)}) == {
        "a": "tied",
        "b": "tied",
    }


def test_a_seed_of_its_own_makes_nobody_best() -> None:
    """Behind in every seed that both have, ahead in the mean by one that the other lacks."""
    values = {
        "a": {0: 90.0, 1: 90.1, 2: 90.2, 3: 99.0},
        "b": by_seed(91.0, 91.12, 91.19),
        "c": by_seed(1.0, 2.0, 3.0),
    }
    assert marks_of(values) == {"a": "tied", "b": "tied"}


def test_correction_makes_many_tests_stricter_and_keeps_gaps() -> None:
    corrected = correct_for_many([0.01, None, 0.04])
    assert corrected == [pytest.approx(0.02), None, pytest.approx(0.04)]
    assert correct_for_many([None, None]) == [None, None]


def test_the_correction_is_of_the_false_discovery_rate() -> None:
    """Each p times the number of tests over its rank, none above a larger one's.

    Holm's would be 0.048 and 0.09, Bonferroni's 0.06 and 0.15.
    """
    known = {0.03: 0.05, 0.8: 0.8, 0.001: 0.005, 0.04: 0.05, 0.012: 0.03}
    corrected = correct_for_many([*known, None])
    assert corrected == [*(pytest.approx(p) for p in known.values()), None]


def marks_of(values: dict[str, dict[int, float]], higher: bool = True) -> dict[str, str]:
    (result,) = rank([Ranking(values, higher)])
    return {name: mark for name, mark in result.marks.items() if mark}


@pytest.mark.parametrize(
    ("gains", "least", "marks"),
    [((1.0, 1.5, 2.2), 0.045, {"a": "best"}), ((1.0, 1.6, 2.4), 0.05, {})],
)
def test_best_is_told_apart_at_five_percent(
    gains: tuple[float, ...], least: float, marks: dict[str, str]
) -> None:
    assert least < stats.ttest_1samp(gains, 0.0).pvalue < least + 0.005
    other = (80.0, 82.0, 79.0)
    ahead = by_seed(*(x + gain for x, gain in zip(other, gains, strict=True)))
    assert marks_of({"a": ahead, "b": by_seed(*other)}) == marks


def test_best_and_second_when_told_apart() -> None:
    row = {
        "a": by_seed(0.50, 0.51, 0.49),
        "b": by_seed(0.90, 0.91, 0.92),
        "c": by_seed(0.80, 0.82, 0.81),
    }
    assert marks_of(row) == {"b": "best", "c": "second"}
    assert marks_of(row, higher=False) == {"a": "best", "c": "second"}


def test_of_two_there_is_a_best_one_at_most() -> None:
    """Second of two says nothing, nor do both of two as the first two."""
    apart = {"a": by_seed(0.90, 0.91, 0.92), "b": by_seed(0.10, 0.12, 0.11)}
    assert marks_of(apart) == {"a": "best"}
    near = {"a": by_seed(0.90, 0.80, 0.85), "b": by_seed(0.86, 0.85, 0.83)}
    assert marks_of(near) == {}
    assert rank([Ranking(near, True)])[0].p_values["a"] is not None
    assert marks_of({"a": by_seed(0.9), "b": by_seed(0.1)}) == {}


def test_the_p_value_is_that_of_the_first_against_the_least_apart() -> None:
    values = {"a": by_seed(1.0, 2.0, 3.5), "b": by_seed(0.5, 1.2, 2.0), "c": by_seed(0, 0, 0)}
    result = rank([Ranking(values, True)])[0]
    known = [compare_by_seed(values["a"], values[other]).p_value for other in "bc"]
    assert result.p_values["a"] == max(p for p in known if p is not None)


def test_a_third_that_scatters_widely_leaves_nobody_best() -> None:
    """Told from the next, but not from one whose seeds reach above both."""
    values = {
        "a": by_seed(90.0, 90.1, 90.2),
        "b": by_seed(89.0, 89.1, 89.21),
        "c": by_seed(84.0, 95.0, 88.0),
    }
    assert marks_of(values) == {"a": "tied", "b": "tied"}
    assert marks_of({**values, "c": by_seed(84.0)}) == {"a": "tied", "b": "tied"}, "unknown noise"
    assert marks_of({"a": values["a"], "b": values["b"]}) == {"a": "best"}


def test_a_second_is_significantly_better_than_all_after_it() -> None:
    best = {"a": by_seed(95.0, 95.1, 95.2)}
    near = best | {"b": by_seed(90.0, 90.9, 90.2), "c": by_seed(90.1, 90.0, 90.4)}
    assert marks_of(near) == {"a": "best"}
    assert rank([Ranking(near, True)])[0].p_values["b"] is None
    clear = best | {"b": by_seed(90.0, 90.2, 90.1), "c": by_seed(80.0, 80.1, 80.3)}
    assert marks_of(clear) == {"a": "best", "b": "second"}
    assert marks_of({**clear, "d": by_seed(60.0)}) == {"a": "tied", "b": "tied"}, "unknown noise"


def test_the_second_has_a_p_value_of_its_own() -> None:
    values = {
        "a": by_seed(90.0, 90.1, 90.3),
        "b": by_seed(80.0, 80.3, 80.1),
        "c": by_seed(70.0, 75.0, 71.0),
    }
    (result,) = rank([Ranking(values, True)])
    assert result.marks == {"a": "best", "b": "second"}
    assert result.p_values["b"] == compare_by_seed(values["b"], values["c"]).p_value
    firsts = [compare_by_seed(values["a"], values[name]).p_value for name in "bc"]
    assert result.p_values["a"] == max(p for p in firsts if p is not None)


def test_seconds_are_corrected_over_the_rankings_that_have_a_best() -> None:
    apart = {
        "a": by_seed(90.0, 93.1, 94.1),
        "b": by_seed(80.0, 83.0, 84.0),
        "c": by_seed(77.0, 80.2, 81.0),
    }
    alone = rank([Ranking(apart, True)])[0]
    twice = rank([Ranking(apart, True)] * 2)[0]
    assert alone.marks == twice.marks == {"a": "best", "b": "second"}
    unclear = {**apart, "a": by_seed(80.1, 83.0, 84.1)}
    among = rank([Ranking(apart, True), *[Ranking(unclear, True)] * 3])[0]
    assert among.p_values["b"] == alone.p_values["b"], "those without a best one don't count"


def test_no_best_inside_the_noise() -> None:
    row = {
        "a": by_seed(0.90, 0.80, 0.85),
        "b": by_seed(0.86, 0.85, 0.83),
        "c": by_seed(0.1, 0.2, 0.3),
    }
    assert marks_of(row) == {"a": "tied", "b": "tied"}


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_cannot_tell(seeds: int) -> None:
    values = {"a": by_seed(*[0.9] * seeds), "b": by_seed(*[0.1] * seeds), "c": by_seed(0.0)}
    assert marks_of(values) == {"a": "tied", "b": "tied"}
    assert rank([Ranking(values, True)])[0].p_values == {"a": None, "b": None}


def test_what_was_not_run_is_not_ranked() -> None:
    row = {"a": by_seed(0.9), "b": {}, "c": by_seed(0.7), "d": by_seed(0.1)}
    assert marks_of(row) == {"a": "tied", "c": "tied"}
    assert marks_of({"a": by_seed(0.9), "b": {}}) == {}
    assert marks_of({}) == {}


def test_many_rankings_raise_the_bar() -> None:
    near = {"a": by_seed(1.00, 1.14, 1.20), "b": by_seed(0.90, 1.00, 1.12)}
    noise = {"a": by_seed(0.90, 0.80, 0.85), "b": by_seed(0.86, 0.85, 0.83)}
    alone = rank([Ranking(near, True)])[0]
    among = rank([Ranking(near, True), *[Ranking(noise, True)] * 9])[0]
    assert (alone.marks["a"], among.marks["a"]) == ("best", "")
    assert alone.p_values["a"] is not None
    assert among.p_values["a"] is not None
    assert alone.p_values["a"] < 0.05 < among.p_values["a"]


def test_rankings_may_go_either_way_side_by_side() -> None:
    values = {
        "a": by_seed(0.90, 0.91, 0.92),
        "b": by_seed(0.10, 0.12, 0.11),
        "c": by_seed(0.5, 0.5, 0.5),
    }
    up, down = rank([Ranking(values, True), Ranking(values, False)])
    assert (up.marks, down.marks) == ({"a": "best", "c": "second"}, {"b": "best", "c": "second"})


def test_three_that_share_the_first_place_are_not_marked() -> None:
    assert marks_of({name: dict.fromkeys(range(3), 0.0) for name in "abc"}) == {}


def test_means_are_equal_in_whatever_order_they_were_added_up() -> None:
    """All three are 61.4."""
    values = {
        "a": by_seed(60.2, 61.6, 62.4),
        "b": by_seed(60.8, 61.0, 62.4),
        "c": by_seed(61.2, 60.6, 62.4),
    }
    assert marks_of(values) == marks_of(values, higher=False) == {}
    first = {"d": by_seed(90.0, 91.0, 92.0)}
    assert marks_of(first | values) == {"d": "best"}


def test_a_shared_second_place_is_not_marked() -> None:
    assert marks_of({"a": {0: 3.0}, "b": {0: 1.0}, "c": {0: 1.0}}) == {"a": "tied"}
    shared_first = {"a": {0: 3.0}, "b": {0: 3.0}, "c": {0: 1.0}}
    assert marks_of(shared_first) == {"a": "tied", "b": "tied"}
