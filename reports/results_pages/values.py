"""A value and a difference in words, and the error for one that isn't there."""

from __future__ import annotations

from collections.abc import Iterable

from reports.records import RecordError
from reports.seed_statistics import compare_by_seed, interval_of_mean
from reports.tables.export import number, places

MOST_DECIMALS = 4

BySeed = dict[int, float]


def difference_by_seed(one: BySeed, other: BySeed, where: str) -> str:
    """The mean of ``one`` minus ``other`` over the seeds of both.

    Of three seeds or more with its 95 % interval and the p-value of a paired t-test: ``+27.0 [24.1,
    29.9], p = 1e-07``; without them where all seeds differ alike. RecordError, which begins with
    ``where``, if they share no seed.
    """
    found = compare_by_seed(one, other)
    if found.difference is None:
        raise RecordError(f"{where} share no seed")
    largest = max(map(abs, (*one.values(), *other.values())))
    decimals = 3 if largest < 0.2 else 2 if largest < 2 else 1
    text = f"{found.difference:+.{decimals}f}"
    interval = interval_of_mean([one[seed] - other[seed] for seed in one.keys() & other.keys()])
    if interval and interval[0] < interval[1] and found.p_value is not None:
        low, high = (f"{bound:z.{decimals}f}" for bound in interval)
        text += f" [{low}, {high}], p = {found.p_value:.1g}"
    return text


def with_sd(mean: float, sd: float | None) -> str:
    """The mean and, where there are several seeds, its standard deviation."""
    decimals = min(places(mean), 1 if abs(mean) >= 10 else MOST_DECIMALS)
    text = number(mean, decimals)
    return text if sd is None else f"{text} ± {number(sd, decimals)}"


def check_known(name: str, there: Iterable[str], none: str) -> None:
    """RecordError that begins with ``none`` and says what there is."""
    known = list(there)
    if name not in known:
        raise RecordError(f"{none} {name}; there are: {', '.join(known) or 'none'}")
