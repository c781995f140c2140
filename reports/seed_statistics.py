"""Statistics for a handful of seeds: mean, sd, its interval, paired comparison, marks.

Nothing is claimed that the seeds cannot carry: no sd under two, no interval and no test under
three, and no "best" where a difference from the first is inside the noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy

ENOUGH_SEEDS = 3
SIGNIFICANCE = 0.05
DIGITS = 10  # of means that are compared

Mark = Literal["", "best", "second", "tied"]


@dataclass(frozen=True)
class Summary:
    """``n`` values: mean, sd (None under two), 95 % interval (None under three)."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Comparison:
    """Mean of first - second over ``n`` shared seeds, and its p-value (None under three seeds)."""

    n: int
    difference: float | None
    p_value: float | None


def summarise(values: Sequence[float]) -> Summary:
    """Summary of at least one value; ValueError for none."""
    if not values:
        raise ValueError("no values to summarise")
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    low, high = interval_of_mean(values) or (None, None)
    return Summary(len(values), float(np.mean(values)), sd, low, high)


def interval_of_mean(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the mean, Student's; None under three values."""
    if len(values) < ENOUGH_SEEDS:
        return None
    mean, error = float(np.mean(values)), float(scipy.stats.sem(values))
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1)) * error
    return mean - half, mean + half


def compare_by_seed(first: Mapping[int, float], second: Mapping[int, float]) -> Comparison:
    """Paired t-test over the seeds that both have; arguments map seed -> value.

    Where all seeds differ by the same there is no spread to test with. Accuracies are multiples of
    one image, so that happens by chance: the p-value is the sign test's, 2^(1 - n).
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return Comparison(0, None, None)
    a, b = np.array([first[s] for s in seeds]), np.array([second[s] for s in seeds])
    difference = float(np.mean(a - b))
    if len(seeds) < ENOUGH_SEEDS:
        return Comparison(len(seeds), difference, None)
    if np.ptp(a - b) <= 1e-12 * max(1.0, float(np.abs(a).max())):
        p_value = 2.0 ** (1 - len(seeds)) if abs(difference) > 1e-12 else 1.0
        return Comparison(len(seeds), difference, p_value)
    return Comparison(len(seeds), difference, float(scipy.stats.ttest_rel(a, b).pvalue))


def correct_for_many(p_values: Sequence[float | None]) -> list[float | None]:
    """Benjamini-Hochberg over the p-values that exist; None stays None."""
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    corrected = iter(scipy.stats.false_discovery_control(known))
    return [None if p is None else float(next(corrected)) for p in p_values]


@dataclass(frozen=True)
class Ranking:
    """What is ranked in one row or column of a table: name -> seed -> value, names of any type."""

    values: Mapping[Any, Mapping[int, float]]
    higher_is_better: bool


@dataclass(frozen=True)
class RankingResult:
    """Marks of the first two by name, and the corrected p-value of the first against all others."""

    marks: dict[Any, Mark]
    p_value: float | None


def rank(rankings: Sequence[Ranking]) -> list[RankingResult]:
    """Best and second best of every ranking of a table.

    ``best`` only if paired tests over three shared seeds or more, corrected over all rankings of
    the table, tell the first from every other, and the first is ahead in these seeds too; else the
    first two are ``tied``: nothing is called best inside the noise, nor where one or two runs leave
    the noise unknown. Of two there is a best one at most: the other is not marked, nor are both
    where nothing tells them apart.
    """
    leaders = [_first_two(ranking) for ranking in rankings]
    tests = [
        _against_all(ranking, pair[0]) if pair else (None, False)
        for ranking, pair in zip(rankings, leaders, strict=True)
    ]
    corrected = correct_for_many([p for p, _ in tests])
    results = []
    for ranking, pair, (_, ahead), p in zip(rankings, leaders, tests, corrected, strict=True):
        marks: dict[Any, Mark] = {}
        if pair:
            means = _means(ranking)
            apart = p is not None and p < SIGNIFICANCE and ahead
            of_two = len(means) == 2
            marks[pair[0]] = "best" if apart else "" if of_two else "tied"
            shared = any(m == means[pair[1]] for name, m in means.items() if name not in pair)
            if not shared:  # else a third has the second's mean: neither is the second
                marks[pair[1]] = "" if of_two else "second" if apart else "tied"
        results.append(RankingResult(marks, p))
    return results


def _against_all(ranking: Ranking, first: Any) -> tuple[float | None, bool]:
    """The largest p-value of ``first`` against another, None if one has none; whether it is ahead
    of all in the seeds that they share.

    All comparisons have to be told apart, so the largest needs no correction for their number.
    """
    others = [by_seed for name, by_seed in ranking.values.items() if name != first and by_seed]
    tests = [compare_by_seed(ranking.values[first], by_seed) for by_seed in others]
    known = [test.p_value for test in tests if test.p_value is not None]
    way = 1 if ranking.higher_is_better else -1
    ahead = all((test.difference or 0.0) * way > 0 for test in tests)
    return (max(known) if len(known) == len(tests) else None), ahead


def _means(ranking: Ranking) -> dict[Any, float]:
    """Equal means are equal here, in whatever order their values were added up."""
    means = {name: float(np.mean(list(v.values()))) for name, v in ranking.values.items() if v}
    return {name: float(f"{mean:.{DIGITS}g}") for name, mean in means.items()}


def _first_two(ranking: Ranking) -> tuple[Any, Any] | None:
    means = _means(ranking)
    order = sorted(means, key=lambda name: means[name], reverse=ranking.higher_is_better)
    if len(order) > 2 and means[order[0]] == means[order[2]]:
        return None  # three or more share the first place
    return (order[0], order[1]) if len(order) > 1 else None
