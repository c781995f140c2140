"""What a check can see: how large a difference it finds in nineteen of twenty cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from reports.regression.accepted import Accepted
from reports.regression.check import seeds_differ
from reports.regression.limits import least
from reports.regression.pairs import comparison, paired_allowance, rounding_of
from reports.tables.markup import markdown_table

POWER = 0.95
DRAWS, HALVINGS = 400, 12
HEAD = ("row", "column", "accepted", "seen from")


def smallest_seen(
    accepted: Accepted, seeds: Sequence[int], numbers: int, place: str, seed: int = 0
) -> float:
    """The shift of the mean, in the number's unit, that a check of ``seeds`` in ``place`` finds so
    often.

    It is one of ``numbers``. By simulation, with ``seed``: values are drawn from the accepted ones,
    each with a normal error of a quarter of their spread (so that none is equal to another), and
    moved down; and so are accepted ones to compare them with, for these are chance as well. Where
    the check is seed by seed, by the normal noise of rounding. A fixed number has no noise.
    """
    n = len(seeds)
    if accepted.fixed:
        return least(accepted)
    how = comparison(accepted, seeds, numbers, place)
    if how.paired:  # of how large the noise is little is known: t, not the normal distribution
        beyond = float(scipy.stats.t.ppf(POWER, len(accepted.again))) * rounding_of(accepted, n)
        return paired_allowance(accepted, n, how.numbers) + beyond
    draws = np.random.default_rng(seed)

    def drawn(count: int) -> NDArray[np.float64]:
        error = draws.normal(0, accepted.sd / 4, (DRAWS, count))
        return draws.choice(np.array(accepted.values), (DRAWS, count)) + error

    checks, known, floor = drawn(n), drawn(accepted.n), least(accepted)

    def is_seen(shift: float) -> bool:
        return bool(seeds_differ(known, checks - shift, how.numbers, floor)[0].mean() >= POWER)

    low, high = 0.0, 2 * least(accepted) + 20 * accepted.sd or 1.0  # all values may be zero
    while not is_seen(high):
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        shift = (low + high) / 2
        low, high = (low, shift) if is_seen(shift) else (shift, high)
    return high


def power_markdown(
    accepted: Sequence[Accepted], seeds: Sequence[int], numbers: int, place: str
) -> str:
    """A row for each number: what it is, and from which difference on the seeds see it."""
    rows = [
        (
            one.row,
            one.column,
            f"{one.mean:.4g}{'' if one.fixed else f' ± {one.sd:.2g}'}{_unit(one)}",
            f"{smallest_seen(one, seeds, numbers, place):.2g}{_unit(one)}",
        )
        for one in accepted
    ]
    return markdown_table(HEAD, rows, "l" * len(HEAD))


def _unit(one: Accepted) -> str:
    return f" {one.unit}" if one.unit else ""
