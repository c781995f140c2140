"""Seeds that are held against themselves: those that have a second value (`again`)."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import scipy

from reports.regression.accepted import Accepted
from reports.regression.limits import FALSE_ALARMS, allowance, least

MIN_PAIRS = 3


class Comparison(NamedTuple):
    """Whether by pairs, and of how many numbers it is one: of twice as many where it was chosen."""

    paired: bool
    numbers: int


def has_pairs(accepted: Accepted, seeds: Collection[int]) -> bool:
    """Whether each of ``seeds`` has two values, and their spread is known from enough pairs."""
    return len(accepted.again) >= MIN_PAIRS and set(seeds) <= set(accepted.again_seeds)


def is_comparable(accepted: Accepted, seeds: Collection[int], place: str) -> bool:
    """Whether values of ``seeds`` computed in ``place`` can be held against it.

    Where the first values were computed all can. Elsewhere only seeds that can be held against
    themselves, where a second value was computed.
    """
    if accepted.fixed or place == accepted.made_on:
        return True
    return place in accepted.again_places and has_pairs(accepted, seeds)


def comparison(accepted: Accepted, seeds: Collection[int], numbers: int, place: str) -> Comparison:
    """How values of ``seeds`` computed in ``place`` are held against it, by what is accepted alone.

    They are one of ``numbers`` of a check.
    """
    if not has_pairs(accepted, seeds):
        return Comparison(False, numbers)
    if place != accepted.made_on:
        return Comparison(True, numbers)
    paired = paired_allowance(accepted, len(seeds), 2 * numbers)
    return Comparison(paired < allowance(accepted, len(seeds), 2 * numbers), 2 * numbers)


def rounding_of(accepted: Accepted, n: int) -> float:
    """The sd over roundings of how far the mean of ``n`` seeds lies from those seeds' accepted."""
    return accepted.rounding * math.sqrt(1.5 / n)


def paired_allowance(accepted: Accepted, n: int, numbers: int) -> float:
    """How far that mean may lie from them by rounding alone."""
    quantile = float(scipy.stats.t.ppf(1 - FALSE_ALARMS / (2 * numbers), len(accepted.again)))
    return max(least(accepted), quantile * rounding_of(accepted, n))
