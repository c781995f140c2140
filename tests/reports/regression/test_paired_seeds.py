"""Accepted seeds that were computed again elsewhere: a check compares seed by seed."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from reports.regression.accepted import Accepted, accepted_from
from reports.regression.accepted_file import read, write
from reports.regression.again import with_again
from reports.regression.check import compare, compare_numbers, compare_seeds
from reports.regression.limits import allowance
from reports.regression.pairs import comparison, is_comparable, paired_allowance, rounding_of
from reports.regression.power import smallest_seen
from tests.reports.regression.test_check import ACCURACIES, Case, case, verdicts
from tests.reports.regression.test_made_on import later

NUMBERS = 12
HERE, THERE = "cpu in fp32", "cpu in bf16"
AGAIN = [value + 0.002 * (-1) ** seed for seed, value in enumerate(ACCURACIES)]


def number(seeds: int, between: float, rounding: float) -> Accepted:
    """Students whose seeds differ by ``between`` and whose roundings by ``rounding``, in %."""
    draws = np.random.default_rng(1)
    centres = draws.normal(70, between, seeds)
    values, again = (tuple((centres + draws.normal(0, rounding, seeds)).tolist()) for _ in "ab")
    keys, named = tuple(map(str, range(seeds))), ("ni", "student", "test_accuracy", "%")
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    made = ("cpu", "fp32", "torch=1", "abc")
    return Accepted(
        *(*named, mean, sd, seeds, values, tuple(range(seeds)), *made, keys, again, "digits"),
        again_seeds=tuple(range(seeds)),
        again_on="; ".join([THERE] * seeds),
    )


def some(accepted: Accepted, seeds: int) -> Accepted:
    """Of which only the first ``seeds`` have a second value."""
    again, of = accepted.again[:seeds], accepted.again_seeds[:seeds]
    on = "; ".join(accepted.again_places[:seeds])
    return msgspec.structs.replace(accepted, again=again, again_seeds=of, again_on=on)


def shifted(accepted: Accepted, by: float, seeds: int) -> dict[int, float]:
    values = zip(accepted.seeds, accepted.values, strict=True)
    return {seed: value - by for seed, value in list(values)[:seeds]}


def test_a_small_drop_shows_where_seeds_differ_by_more() -> None:
    accepted = number(8, between=5.0, rounding=0.5)
    assert not compare_numbers(accepted, shifted(accepted, 0.0, 4), NUMBERS, HERE)["differs"]
    assert compare_numbers(accepted, shifted(accepted, 3.0, 4), NUMBERS, HERE)["differs"]
    assert compare_numbers(accepted, shifted(accepted, -3.0, 4), NUMBERS, HERE)["differs"]
    alone = list(shifted(accepted, 3.0, 4).values())
    assert not compare_seeds(accepted, alone, NUMBERS)["differs"]


def test_better_and_worse_are_of_these_seeds_not_of_all() -> None:
    """Seed 0 is five points better than it was, and still below the mean of all seeds."""
    keys, named = ("a", "b", "c"), ("ni", "student", "test_accuracy", "%")
    values, made = (87.0, 92.0, 97.0), ("cpu", "fp32", "torch=2.11", "abc")
    accepted = Accepted(
        *(*named, 92.0, 5.0, 3, values, (0, 1, 2), *made, keys, values, "digits"),
        again_seeds=(0, 1, 2),
        again_on="; ".join([THERE] * 3),
    )
    table, records = case([0.91])
    (one,) = (found for found in compare(table, records, [accepted]) if found.column == "student")
    assert (one.verdict, one.accepted, one.accepted_n, one.measured) == ("better", 87.0, 1, 91.0)


def test_other_seeds_are_compared_as_seeds() -> None:
    accepted = number(8, between=5.0, rounding=0.5)
    others = {seed + 100: value for seed, value in shifted(accepted, 3.0, 4).items()}
    expected = compare_seeds(accepted, list(others.values()), NUMBERS)
    assert compare_numbers(accepted, others, NUMBERS, HERE) == expected


def test_what_other_seeds_see_is_what_seeds_see() -> None:
    accepted = number(8, between=5.0, rounding=0.5)
    alone = some(accepted, 0)
    others = range(100, 104)
    assert smallest_seen(accepted, others, NUMBERS, HERE) == smallest_seen(
        alone, others, NUMBERS, HERE
    )
    assert smallest_seen(accepted, range(4), NUMBERS, HERE) < smallest_seen(
        accepted, others, NUMBERS, HERE
    )


@pytest.mark.parametrize("pairs", [3, 8])
@pytest.mark.parametrize(("place", "rounding"), [(HERE, 0.1), (HERE, 3.0), (THERE, 3.0)])
def test_what_is_seen_is_found_in_nineteen_of_twenty_and_chance_in_one_of_a_hundred(
    pairs: int, place: str, rounding: float
) -> None:
    """By pairs or by means, whichever is chosen; with 3.0 a coin decides which."""
    draws, n, found, alarms, model = np.random.default_rng(3), 2, [], [], number(8, 5.0, 1.0)
    for _ in range(1500):
        centres = draws.normal(70, 3, 8)
        one, other, new = (centres + draws.normal(0, rounding, 8) for _ in range(3))
        accepted = msgspec.structs.replace(
            model, values=tuple(one.tolist()), again=tuple(other.tolist())
        )
        accepted = some(
            msgspec.structs.replace(accepted, mean=one.mean(), sd=one.std(ddof=1)), pairs
        )
        by_seed = dict(enumerate(new[:n].tolist()))
        alarms.append(compare_numbers(accepted, by_seed, 1, place)["differs"])
        if rounding < 3 or place == THERE:
            assert comparison(accepted, range(n), 1, place).paired
            seen = smallest_seen(accepted, range(n), 1, place)
            lower = {seed: value - seen for seed, value in by_seed.items()}
            found.append(compare_numbers(accepted, lower, 1, place)["differs"])
    assert np.mean(alarms) <= 0.015
    assert not found or np.mean(found) == pytest.approx(0.95, abs=0.03)


def test_records_of_the_second_time_are_read_by_seed(tmp_path: Path) -> None:
    table, records = case()
    once = accepted_from(table, records)
    fid, student = sorted(
        with_again(table, once, {"there": later(case(AGAIN)[1])}), key=lambda n: n.column
    )
    assert student.again == pytest.approx([100 * value for value in AGAIN])
    assert student.rounding == pytest.approx(0.2 / 2**0.5)
    assert fid.rounding == 0.0
    path = tmp_path / "accepted.csv"
    write(path, [fid, student])
    assert read(path)[1].again == pytest.approx(student.again)
    assert read(path)[1].again_seeds == student.again_seeds
    dropped: Case = case([value - 0.02 for value in ACCURACIES])
    assert verdicts(compare(*dropped, [fid, student]))["student"] == "worse"
    assert verdicts(compare(*dropped, once))["student"] == "same"


def test_second_values_are_added_by_seed(tmp_path: Path) -> None:
    table, records = case()
    once = accepted_from(table, records)
    second = later(case(AGAIN)[1])
    few = {key: second[key] for key in ("test_accuracy1", "test_accuracy3")}
    fid, alone = sorted(with_again(table, once, {"few": few}), key=lambda n: n.column)
    assert (alone.again_seeds, len(alone.again), fid.again_seeds) == ((1, 3), 2, ())
    assert alone.rounding == pytest.approx(0.2 / 2**0.5)
    other = later(case([value + 0.001 for value in AGAIN])[1])
    more = {key: other[key] for key in ("test_accuracy0", "test_accuracy1")}
    _, added = sorted(with_again(table, [fid, alone], {"more": more}), key=lambda n: n.column)
    assert added.again_seeds == (0, 1, 3)
    last = [100 * AGAIN[0] + 0.1, 100 * AGAIN[1] + 0.1, 100 * AGAIN[3]]
    assert added.again == pytest.approx(last), "the last counts, the others stay"


def test_seeds_of_which_one_has_no_second_value_are_compared_by_means() -> None:
    accepted = some(number(8, between=5.0, rounding=0.2), 3)
    assert comparison(accepted, [0, 2], NUMBERS, HERE).paired
    assert comparison(accepted, [0, 3], NUMBERS, HERE) == (False, NUMBERS)
    assert comparison(accepted, [100, 101], NUMBERS, HERE) == (False, NUMBERS)
    assert comparison(some(accepted, 2), [0, 1], NUMBERS, HERE) == (False, NUMBERS), "of two pairs"


def test_elsewhere_seeds_are_held_against_themselves_or_not_at_all() -> None:
    accepted = some(number(8, between=0.1, rounding=2.0), 3)
    assert not comparison(accepted, [0, 1], NUMBERS, HERE).paired
    assert comparison(accepted, [0, 1], NUMBERS, THERE) == (True, NUMBERS)
    assert is_comparable(accepted, [0, 1], THERE)
    assert not is_comparable(accepted, [0, 3], THERE)
    assert not is_comparable(accepted, [0, 1], "NVIDIA H200 in bf16")
    assert is_comparable(accepted, [0, 3], HERE)


def test_what_differs_from_rounding_as_from_seed_to_seed_is_compared_by_means() -> None:
    accepted = some(number(8, between=0.1, rounding=2.0), 3)
    assert comparison(accepted, [0, 1], NUMBERS, HERE) == (False, 2 * NUMBERS)
    by_seed = shifted(accepted, 4.0, 2)
    assert compare_numbers(accepted, by_seed, NUMBERS, HERE) == compare_seeds(
        accepted, list(by_seed.values()), 2 * NUMBERS
    )
    assert paired_allowance(accepted, 2, NUMBERS) > allowance(accepted, 2, NUMBERS)


def test_the_allowance_is_of_as_many_degrees_of_freedom_as_seeds_were_made_again() -> None:
    accepted = number(8, between=5.0, rounding=3.0)
    quantile = float(stats.t.ppf(1 - 0.01 / 2 / NUMBERS, 8))
    expected = quantile * accepted.rounding * (1.5 / 4) ** 0.5
    assert paired_allowance(accepted, 4, NUMBERS) == pytest.approx(expected)
    seen = smallest_seen(accepted, range(4), NUMBERS, THERE)
    beyond = float(stats.t.ppf(0.95, 8)) * rounding_of(accepted, 4)
    assert seen == pytest.approx(expected + beyond, 1e-4)
