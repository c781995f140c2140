"""Accepted seeds that were computed again elsewhere: a check compares seed by seed."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from reports.records import RecordError
from reports.regression.accepted import Accepted, RefusedError, accepted_from
from reports.regression.accepted_file import read, write
from reports.regression.again import with_again
from reports.regression.check import (
    compare,
    compare_numbers,
    compare_seeds,
    is_paired,
    paired_allowance,
    rounding_of,
)
from reports.regression.power import smallest_seen
from tests.reports.regression.test_check import ACCURACIES, Case, case, verdicts
from tests.reports.regression.test_made_on import later

NUMBERS = 12
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
    )


def some(accepted: Accepted, seeds: int) -> Accepted:
    """Of which only the first ``seeds`` have a second value."""
    again, of = accepted.again[:seeds], accepted.again_seeds[:seeds]
    return msgspec.structs.replace(accepted, again=again, again_seeds=of)


def shifted(accepted: Accepted, by: float, seeds: int) -> dict[int, float]:
    values = zip(accepted.seeds, accepted.values, strict=True)
    return {seed: value - by for seed, value in list(values)[:seeds]}


def test_a_small_drop_shows_where_seeds_differ_by_more() -> None:
    accepted = number(8, between=5.0, rounding=0.5)
    assert not compare_numbers(accepted, shifted(accepted, 0.0, 4), NUMBERS)["differs"]
    assert compare_numbers(accepted, shifted(accepted, 3.0, 4), NUMBERS)["differs"]
    assert compare_numbers(accepted, shifted(accepted, -3.0, 4), NUMBERS)["differs"]
    alone = list(shifted(accepted, 3.0, 4).values())
    assert not compare_seeds(accepted, alone, NUMBERS)["differs"]


def test_better_and_worse_are_of_these_seeds_not_of_all() -> None:
    """Seed 0 is five points better than it was, and still below the mean of all seeds."""
    keys, named = ("a", "b", "c"), ("ni", "student", "test_accuracy", "%")
    values, made = (87.0, 92.0, 97.0), ("cpu", "fp32", "torch=2.11", "abc")
    accepted = Accepted(
        *(*named, 92.0, 5.0, 3, values, (0, 1, 2), *made, keys, values, "digits"),
        again_seeds=(0, 1, 2),
    )
    table, records = case([0.91])
    (one,) = (found for found in compare(table, records, [accepted]) if found.column == "student")
    assert (one.verdict, one.accepted, one.accepted_n, one.measured) == ("better", 87.0, 1, 91.0)


def test_other_seeds_are_compared_as_seeds() -> None:
    accepted = number(8, between=5.0, rounding=0.5)
    others = {seed + 100: value for seed, value in shifted(accepted, 3.0, 4).items()}
    expected = compare_seeds(accepted, list(others.values()), NUMBERS)
    assert compare_numbers(accepted, others, NUMBERS) == expected


def test_what_other_seeds_see_is_what_seeds_see() -> None:
    accepted = number(8, between=5.0, rounding=0.5)
    alone = some(accepted, 0)
    others = range(100, 104)
    assert smallest_seen(accepted, others, NUMBERS) == smallest_seen(alone, others, NUMBERS)
    assert smallest_seen(accepted, range(4), NUMBERS) < smallest_seen(accepted, others, NUMBERS)


def test_some_accepted_seeds_and_some_others_are_refused() -> None:
    accepted = number(3, between=5.0, rounding=0.5)
    says = "ni student: seeds 0 1 2 are accepted, 3 4 not: check some of them, or none"
    with pytest.raises(RefusedError) as caught:
        compare_numbers(accepted, dict.fromkeys(range(5), 70.0), NUMBERS)
    assert str(caught.value) == says
    with pytest.raises(RefusedError, match=says):
        smallest_seen(accepted, range(5), NUMBERS)


def test_what_is_seen_is_found_in_nineteen_of_twenty_and_chance_in_one_of_a_hundred() -> None:
    draws, n, found, alarms = np.random.default_rng(3), 4, [], []
    for _ in range(3000):
        centres = draws.normal(70, 5, 8)
        one, other, new = (centres + draws.normal(0, 2.0, 8) for _ in range(3))
        accepted = msgspec.structs.replace(
            number(8, 5.0, 2.0), values=tuple(one.tolist()), again=tuple(other.tolist())
        )
        seen = smallest_seen(accepted, range(n), NUMBERS)
        by_seed = dict(enumerate(new[:n].tolist()))
        alarms.append(compare_numbers(accepted, by_seed, NUMBERS)["differs"])
        lower = {seed: value - seen for seed, value in by_seed.items()}
        found.append(compare_numbers(accepted, lower, NUMBERS)["differs"])
    assert np.mean(alarms) <= 0.003  # of one number: 1 % over all twelve
    assert np.mean(found) == pytest.approx(0.95, abs=0.03)


def test_records_of_the_second_time_are_read_by_seed(tmp_path: Path) -> None:
    table, records = case()
    once = accepted_from(table, records)
    fid, student = sorted(with_again(table, once, [later(case(AGAIN)[1])]), key=lambda n: n.column)
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


def test_some_seeds_of_some_numbers_are_enough(tmp_path: Path) -> None:
    table, records = case()
    once = accepted_from(table, records)
    second = later(case(AGAIN)[1])
    few = {key: second[key] for key in ("test_accuracy1", "test_accuracy3")}
    other = later(case([value + 0.001 for value in AGAIN])[1])
    fid, student = sorted(with_again(table, once, [few, other]), key=lambda n: n.column)
    assert student.again_seeds == fid.again_seeds == (0, 1, 2, 3, 4)
    assert student.again[1::2] == pytest.approx([100 * AGAIN[1], 100 * AGAIN[3]]), "the first run's"
    assert student.again[0] == pytest.approx(100 * AGAIN[0] + 0.1), "what the first has not"
    (alone,) = (n for n in with_again(table, once, [few]) if n.column == "student")
    assert (alone.again_seeds, len(alone.again)) == ((1, 3), 2)
    assert alone.rounding == pytest.approx(0.2 / 2**0.5)
    short = msgspec.structs.replace(alone, again=(70.0,))
    write(tmp_path / "short.csv", [short])
    with pytest.raises(RecordError, match="not a second value for each seed that was computed"):
        read(tmp_path / "short.csv")


def test_a_seed_without_a_second_value_is_held_against_its_first() -> None:
    accepted = some(number(8, between=5.0, rounding=0.2), 3)
    limit = paired_allowance(accepted, [6, 7], NUMBERS)
    quantile = float(stats.t.ppf(1 - 0.01 / 2 / NUMBERS, 3))
    assert limit == pytest.approx(quantile * accepted.rounding), "of two values each"
    assert rounding_of(accepted, [0, 1]) == pytest.approx(accepted.rounding * 0.75**0.5)
    values = {seed: accepted.values[seed] for seed in (6, 7)}
    below = {seed: value - limit - 0.01 for seed, value in values.items()}
    assert not compare_numbers(accepted, values, NUMBERS)["differs"]
    assert compare_numbers(accepted, below, NUMBERS)["differs"]


def test_what_differs_from_rounding_as_from_seed_to_seed_is_compared_by_means() -> None:
    accepted = some(number(8, between=0.1, rounding=2.0), 3)
    assert not is_paired(accepted, [0, 1], NUMBERS)
    by_seed = shifted(accepted, 4.0, 2)
    assert compare_numbers(accepted, by_seed, NUMBERS) == compare_seeds(
        accepted, list(by_seed.values()), NUMBERS
    )
    alone = some(accepted, 0)
    assert smallest_seen(accepted, [0, 1], NUMBERS) == smallest_seen(alone, [0, 1], NUMBERS)


def test_the_allowance_is_of_as_many_degrees_of_freedom_as_seeds_were_made_again() -> None:
    accepted = number(8, between=5.0, rounding=3.0)
    quantile = float(stats.t.ppf(1 - 0.01 / 2 / NUMBERS, 8))
    expected = quantile * accepted.rounding * (1.5 / 4) ** 0.5
    assert paired_allowance(accepted, range(4), NUMBERS) == pytest.approx(expected)
    seen = smallest_seen(accepted, range(4), NUMBERS)
    assert seen == pytest.approx(expected + 1.6449 * rounding_of(accepted, range(4)), 1e-4)
