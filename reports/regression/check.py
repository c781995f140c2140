"""Hold a table's numbers against the accepted ones, in both directions.

The values of n seeds are ranked among those of N accepted seeds (Mann-Whitney's U, exact): a number
fails when chance would rank them so in fewer than one of a hundred checks, over all numbers
(Bonferroni). Ranks make no assumption about the noise, whose tails are heavy: one teacher in nine
inverts badly. With so few seeds that no ranking is that rare, Student's interval is all there is:
t(1 % over all numbers; N - 1) * sd * sqrt(1 / n + 1 / N) for the means, right for normal noise.

Where m of the accepted seeds have a second value, computed elsewhere (`again`), and the check is of
accepted seeds, each can be held against its own: what seeds differ by is gone, and what is left is
rounding. Its sd comes from the m pairs: t(1 % over all numbers; m) * sd * sqrt(sum(1 + 1 / k)) / n,
where k is one or two, the values accepted of a seed. Whichever of both allows less is done: what
differs from one rounding to the next as from seed to seed, as students do, gains nothing by pairs.

Means within one point of a percentage or one percent of anything else are always the same. Better
is a fault as well, until it is known why. A number that no seed changes (a ready teacher's) has
this room alone, and may be of any device and precision.

An exact check takes nothing for the same but the accepted values of the same seeds, which code that
computes the same has on the same processor with the same versions: it sees every change of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

import msgspec
import numpy as np
import scipy
from numpy.typing import NDArray

from reports.records import Record, computed_for
from reports.regression.accepted import (
    Accepted,
    NumberKey,
    RefusedError,
    as_kept,
    fingerprint_of,
    made_on,
    not_exact,
    sd_of,
)
from reports.tables.export import NOT_RUN
from reports.tables.layout import Table
from reports.tables.markup import markdown_table
from reports.tables.measured import lines_of, measured_frame

FALSE_ALARMS = 0.01
POINTS, SHARE = 1.0, 0.01
HEAD = ("table", "row", "column", "accepted", "measured", "limit", "verdict")

Verdict = Literal["same", "worse", "better", "changed", "not accepted", "not measured"]


class CheckedNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a check in its unit; what there is nothing of is None, or n = 0.

    It was compared by ``p`` against ``p_limit`` (ranks), or by ``allowed`` (the means' distance),
    or in an ``exact`` check by its values: ``other_seeds`` have not their accepted ones, or none.
    ``equal`` says whether all its seeds are accepted ones and have their values.
    """

    table: str
    row: str
    column: str
    metric: str
    unit: str
    accepted: float | None = None
    sd: float | None = None
    accepted_n: int = 0
    measured: float | None = None
    n: int = 0
    p: float | None = None
    p_limit: float | None = None
    allowed: float | None = None
    equal: bool = False
    exact: bool = False
    other_seeds: tuple[int, ...] = ()
    verdict: Verdict

    @property
    def fails(self) -> bool:
        """A number without an accepted one is only reported."""
        return self.verdict in ("worse", "better", "changed", "not measured")


def compare(
    table: Table,
    records: Mapping[str, Record],
    accepted: Sequence[Accepted],
    numbers: int = 0,
    *,
    exact: bool = False,
) -> list[CheckedNumber]:
    """What has become of every number, the table's first, then the accepted ones it lacks.

    ``numbers`` is how many of the whole check are `drawn`, by default of those accepted here.
    ``exact``: a number of which a seed has not its accepted value has changed, however little.
    RefusedError, in one line, for numbers of other data, another class of device or precision, or
    where an exact check can't be one (`not_exact`).
    """
    expected = {number.key: number for number in accepted}
    places = places_of(accepted)
    columns = {column.id: column for column in table.columns}
    found = []
    for line in lines_of(measured_frame(table, records)):
        if not line["n"]:
            continue
        column, mean, n = columns[line["column"]], float(line["mean"]), int(line["n"])
        key = (line["row"], column.id, line["metric"], column.unit)
        number = expected.pop(key, None)
        of = _named(table, key, number) | {"measured": mean, "n": n}
        if number is None:
            found.append(CheckedNumber(**of, verdict="not accepted"))
            continue
        fingerprint = fingerprint_of(line["records"], records)
        if not number.is_of(table.dataset, fingerprint):
            raise RefusedError(
                f"{table.name}: the accepted numbers are of other data ({number.dataset}): "
                "not compared"
            )
        if not number.fixed:
            here = " in ".join(made_on(table, computed_for(line["records"], records)))
            if here not in places:
                raise RefusedError(
                    f"{table.name}: the accepted numbers are of {' and '.join(places)}, these of "
                    f"{here}: not compared"
                )
        by_seed = dict(zip(line["seeds"], line["values"], strict=True))
        equal = not other_seeds(number, by_seed, by_seed)
        if exact:
            for record in computed_for(line["records"], records):
                if reason := not_exact(number, line["seeds"], record.provenance):
                    raise RefusedError(f"{table.name}: {record.label}: {reason}")
            others = other_seeds(number, by_seed, table.seeds)
            verdict: Verdict = "changed" if others else "same"
            of |= {"exact": True, "other_seeds": others, "equal": equal}
            found.append(CheckedNumber(**of | _of_seeds(number, by_seed), verdict=verdict))
            continue
        compared = compare_numbers(number, by_seed, numbers or drawn(accepted))
        verdict = "same"
        above = compared.pop("above")
        if compared.pop("differs"):
            verdict = "better" if above == column.higher_is_better else "worse"
        found.append(CheckedNumber(**of | compared, equal=equal, verdict=verdict))
    return found + [
        CheckedNumber(**_named(table, key, number), verdict="not measured")
        for key, number in expected.items()
    ]


def places_of(accepted: Iterable[Accepted]) -> list[str]:
    """Where these numbers were computed, the first or the second time: where others of the table
    may be to be compared with them.
    """
    return sorted({place for number in accepted if not number.fixed for place in number.places})


def drawn(accepted: Sequence[Accepted]) -> int:
    """How many of the numbers differ from seed to seed, and could fail by chance; one at least."""
    return max(1, sum(not number.fixed for number in accepted))


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


def rounding_of(accepted: Accepted, seeds: Collection[int]) -> float:
    """The sd over roundings of how far the mean of ``seeds`` lies from what is accepted of them."""
    known = [2 if seed in accepted.again_seeds else 1 for seed in seeds]
    return accepted.rounding * math.sqrt(sum(1 + 1 / values for values in known)) / len(known)


def paired_allowance(accepted: Accepted, seeds: Collection[int], numbers: int) -> float:
    """How far that mean may lie from it by rounding alone."""
    quantile = float(scipy.stats.t.ppf(1 - FALSE_ALARMS / (2 * numbers), len(accepted.again)))
    return max(least(accepted), quantile * rounding_of(accepted, seeds))


def is_paired(accepted: Accepted, seeds: Collection[int], numbers: int) -> bool:
    """Whether a check of these seeds holds each against itself: they are accepted ones, and that
    allows less than to compare means does.

    RefusedError if some are accepted ones and some are not.
    """
    if not accepted.again:
        return False
    among = {seed: seed in accepted.seeds for seed in seeds}
    if len(set(among.values())) > 1:
        other = " ".join(str(seed) for seed, known in among.items() if not known)
        known = " ".join(map(str, accepted.seeds))
        raise RefusedError(
            f"{accepted.row} {accepted.column}: seeds {known} are accepted, {other} not: check "
            "some of them, or none"
        )
    by_mean = allowance(accepted, len(among), numbers)
    return all(among.values()) and paired_allowance(accepted, seeds, numbers) < by_mean


def other_seeds(
    accepted: Accepted, by_seed: Mapping[int, float], seeds: Iterable[int]
) -> tuple[int, ...]:
    """Which of ``seeds`` have another value than the accepted one, as it is written, or none.

    Of a number that no seed changes one value is enough.
    """
    if accepted.fixed:
        values = dict.fromkeys(by_seed, accepted.mean)
        seeds = by_seed
    else:
        values = accepted.by_seed
    return tuple(
        seed
        for seed in seeds
        if seed not in values
        or seed not in by_seed
        or as_kept(by_seed[seed]) != as_kept(values[seed])
    )


def _of_seeds(accepted: Accepted, seeds: Iterable[int]) -> dict[str, Any]:
    """What is accepted of these seeds alone; of a fixed number, the number."""
    if accepted.fixed:
        return {}
    own = [accepted.by_seed[seed] for seed in seeds]
    return {"accepted": fmean(own), "sd": sd_of(own), "accepted_n": len(own)}


def compare_numbers(
    accepted: Accepted, by_seed: Mapping[int, float], numbers: int
) -> dict[str, Any]:
    """Seed by seed where `is_paired`, else as `compare_seeds`; a fixed number by itself.

    ``accepted``, ``sd`` and ``accepted_n`` are then what those seeds had, with the rounding's sd.
    """
    if accepted.fixed:
        distance, allowed = fmean(by_seed.values()) - accepted.mean, least(accepted)
        return {"differs": abs(distance) > allowed, "above": distance > 0, "allowed": allowed}
    if not is_paired(accepted, by_seed.keys(), numbers):
        return compare_seeds(accepted, list(by_seed.values()), numbers)
    expected = accepted.by_seed
    for seed, value in zip(accepted.again_seeds, accepted.again, strict=True):
        expected[seed] = (expected[seed] + value) / 2
    distance = fmean(value - expected[seed] for seed, value in by_seed.items())
    allowed = paired_allowance(accepted, by_seed.keys(), numbers)
    return {
        "differs": abs(distance) > allowed,
        "above": distance > 0,
        "allowed": allowed,
        "accepted": fmean(expected[seed] for seed in by_seed),
        "sd": accepted.rounding,
        "accepted_n": len(by_seed),
    }


def compare_seeds(accepted: Accepted, values: Sequence[float], numbers: int) -> dict[str, Any]:
    """Whether the values differ (``differs``), lie above, and a `CheckedNumber`'s limits."""
    known, checks = np.array([accepted.values]), np.array([values])
    (differs,), p = seeds_differ(known, checks, numbers, least(accepted))
    found = {"differs": bool(differs), "above": fmean(values) > accepted.mean}
    if p is None:
        return found | {"allowed": allowance(accepted, len(values), numbers)}
    return found | {"p": float(p[0]), "p_limit": FALSE_ALARMS / numbers}


def seeds_differ(
    known: NDArray[np.float64], checks: NDArray[np.float64], numbers: int, floor: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
    """For each of some checks, (checks, n) values, whether it fails, and p where ranks decide.

    ``known`` are the values accepted in each of them, (checks, N); a distance of means up to
    ``floor`` is no fault.
    """
    n, accepted_n = checks.shape[1], known.shape[1]
    distance = np.abs(checks.mean(axis=1) - known.mean(axis=1))
    if n < seeds_for_ranks(accepted_n, numbers):
        allowed = known.std(axis=1, ddof=1) * spreads_allowed(accepted_n, n, numbers)
        return np.asarray(distance > np.maximum(floor, allowed)), None
    p = np.asarray(scipy.stats.mannwhitneyu(checks, known, axis=1, method="exact").pvalue)
    return (p < FALSE_ALARMS / numbers) & (distance > floor), p


def check_markdown(numbers: Sequence[CheckedNumber]) -> str:
    """One row per number, columns aligned, and a line such as ``12 numbers: 11 same, 1 worse``.

    It ends with ``; with the accepted values: 3`` where some of those that need not have them do.
    """
    rows = markdown_table(HEAD, [_cells(number) for number in numbers], "l" * len(HEAD))
    counts = Counter(number.verdict for number in numbers)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    equal = sum(one.equal for one in numbers if one.accepted_n > 1 and not one.exact)
    unchanged = f"; with the accepted values: {equal}" if equal else ""
    return f"{rows}\n\n{len(numbers)} numbers: {said}{unchanged}"


def _named(table: Table, key: NumberKey, number: Accepted | None) -> dict[str, Any]:
    """What a number is of, and what is accepted of it."""
    named = dict(zip(("row", "column", "metric", "unit"), key, strict=True), table=table.name)
    if number is None:
        return {**named}
    return {**named, "accepted": number.mean, "sd": number.sd, "accepted_n": number.n}


def _cells(one: CheckedNumber) -> list[str]:
    unit = f" {one.unit}" if one.unit else ""
    accepted = measured = limit = NOT_RUN
    digits = 9 if one.verdict == "changed" else 4  # nine are kept
    if one.accepted is not None:
        spread = f" ± {one.sd:.2g}" if (one.accepted_n > 1 or one.sd) and not one.exact else ""
        accepted = f"{one.accepted:.{digits}g}{spread}{unit} ({one.accepted_n})"
    if one.measured is not None:
        measured = f"{one.measured:.{digits}g}{unit} ({one.n})"
    if one.exact:
        limit = f"not of seed {' '.join(map(str, one.other_seeds))}" if one.other_seeds else "equal"
    elif one.p is not None:
        limit = f"p {one.p:.2g} (limit {one.p_limit:.2g})"
    elif one.allowed is not None:
        limit = f"± {one.allowed:.2g}{unit}"
    verdict = one.verdict.upper() if one.fails else one.verdict
    return [one.table, one.row, one.column, accepted, measured, limit, verdict]
