"""Statistics for a handful of seeds: mean, sd, its interval, paired comparison, marks.

Nothing is claimed that the seeds cannot carry: no sd under two, no interval and no test under
three, and no "best" where a difference from the first is inside the noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy

ENOUGH_SEEDS = 3
SIGNIFICANCE = 0.05
CORRECTION = "Benjamini-Hochberg"  # for many tests
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
    """Marks of the first two, and corrected p-values, both by name.

    A p-value is the largest of the tests of the first against every other; that of a second best is
    the largest of its tests against all after it.
    """

    marks: dict[Any, Mark]
    p_values: dict[Any, float | None]


@dataclass(frozen=True)
class _Test:
    """One name against others: the largest p-value, None if one has none, and whether it is ahead
    of all in the seeds that they share.
    """

    p_value: float | None
    ahead: bool

    @property
    def significant(self) -> bool:
        return self.p_value is not None and self.p_value < SIGNIFICANCE and self.ahead


def rank(rankings: Sequence[Ranking]) -> list[RankingResult]:
    """Best and second best of every ranking of a table.

    ``best`` only if paired tests over three shared seeds or more find the first significantly
    better than every other (Benjamini-Hochberg over all rankings of the table), and it is ahead in
    these seeds too; else the first two are ``tied``: nothing is called best inside the noise, nor
    where one or two runs leave the noise unknown. ``second`` only below a best one, and only if the
    same tests, corrected over the rankings that have a best one, find it significantly better than
    all that come after it; else nobody is. Of two there is a best one at most: the other is not
    marked, nor are both where nothing tells them apart.
    """
    leaders = [_first_two(ranking) for ranking in rankings]
    firsts = _corrected(
        [
            _against_all(ranking, pair[0], _others(ranking, pair[0])) if pair else None
            for ranking, pair in zip(rankings, leaders, strict=True)
        ]
    )
    seconds = _corrected(
        [
            _against_all(ranking, pair[1], rest)
            if pair and first and first.significant and (rest := _others(ranking, *pair))
            else None
            for ranking, pair, first in zip(rankings, leaders, firsts, strict=True)
        ]
    )
    return [
        _result(ranking, pair, first, second) if pair and first else RankingResult({}, {})
        for ranking, pair, first, second in zip(rankings, leaders, firsts, seconds, strict=True)
    ]


def _result(
    ranking: Ranking, pair: tuple[Any, Any], first: _Test, second: _Test | None
) -> RankingResult:
    means, (leader, next_one) = _means(ranking), pair
    of_two = len(means) == 2
    # Where a third has the second's mean, neither is the second.
    shared = any(m == means[next_one] for name, m in means.items() if name not in pair)
    if not first.significant:
        tied: Mark = "" if of_two else "tied"
        names = [leader] if shared else [leader, next_one]
        return RankingResult(dict.fromkeys(names, tied), dict.fromkeys(names, first.p_value))
    if second and second.significant and not shared:
        p_values = {leader: first.p_value, next_one: second.p_value}
        return RankingResult({leader: "best", next_one: "second"}, p_values)
    p_values = {leader: first.p_value, next_one: first.p_value if of_two else None}
    return RankingResult({leader: "best", next_one: ""}, p_values)


def _corrected(tests: Sequence[_Test | None]) -> list[_Test | None]:
    """The tests that there are, with their p-values corrected for each other."""
    p_values = correct_for_many([test.p_value if test else None for test in tests])
    return [test and replace(test, p_value=p) for test, p in zip(tests, p_values, strict=True)]


def _others(ranking: Ranking, *names: Any) -> list[Mapping[int, float]]:
    """The values of all that were run but ``names``."""
    return [values for name, values in ranking.values.items() if name not in names and values]


def _against_all(ranking: Ranking, name: Any, others: Sequence[Mapping[int, float]]) -> _Test:
    """All comparisons have to be significant, so the largest needs no correction for their
    number.
    """
    tests = [compare_by_seed(ranking.values[name], other) for other in others]
    known = [test.p_value for test in tests if test.p_value is not None]
    way = 1 if ranking.higher_is_better else -1
    ahead = all((test.difference or 0.0) * way > 0 for test in tests)
    return _Test(max(known) if len(known) == len(tests) else None, ahead)


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
