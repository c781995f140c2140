"""How far means of a number may lie apart by chance, and how many seeds ranks need."""

from __future__ import annotations

import math

import scipy

from reports.regression.accepted import Accepted

FALSE_ALARMS = 0.01  # of a check, over all its numbers
POINTS, SHARE = 1.0, 0.01


def seeds_for_ranks(accepted_n: int, numbers: int) -> int:
    """The fewest seeds whose ranks among ``accepted_n`` can fail one of ``numbers``."""
    n = 1
    while 2 / math.comb(n + accepted_n, n) >= FALSE_ALARMS / numbers:
        n += 1
    return n


def least(accepted: Accepted) -> float:
    """A distance of means, in the number's unit, that is never a fault."""
    return POINTS if accepted.unit == "%" else SHARE * abs(accepted.mean)


def allowance(accepted: Accepted, n: int, numbers: int) -> float:
    """How far the mean of ``n`` seeds may lie from the accepted one, were the noise normal."""
    return max(least(accepted), accepted.sd * spreads_allowed(accepted.n, n, numbers))


def spreads_allowed(accepted_n: int, n: int, numbers: int) -> float:
    """The same distance in standard deviations of the accepted values."""
    quantile = float(scipy.stats.t.ppf(1 - FALSE_ALARMS / (2 * numbers), accepted_n - 1))
    return quantile * math.sqrt(1 / n + 1 / accepted_n)
