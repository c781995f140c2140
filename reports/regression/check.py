"""Hold a table's numbers against the accepted ones, in both directions.

The values of n seeds are ranked among those of N accepted seeds (Mann-Whitney's U, exact): a number
fails when chance would rank them so in fewer than one of a hundred checks, over all numbers
(Bonferroni). Ranks make no assumption about the noise, whose tails are heavy: one teacher in nine
inverts badly. With so few seeds that no ranking is that rare, Student's interval is all there is:
t(1 % over all numbers; N - 1) * sd * sqrt(1 / n + 1 / N) for the means, right for normal noise.

Where m of the accepted seeds, three or more, have a second value, computed elsewhere (`again`), and
the check is of n of these, each is held against the mean of its own two: what seeds differ by is
gone, and what is left is rounding. Its sd comes from the m pairs: t(m) * sd * sqrt(3 / (2 n)),
right for normal rounding of one size. Where the first values were computed, this or the comparison
of means is done, whichever allows less, each at half of the rate. Elsewhere it is the only one, as
means of two places may differ.

Means within one point of a percentage or one percent of anything else are always the same. Better
is a fault as well, until it is known why. A number that no seed changes (a ready teacher's) has
this room alone, and may be of any device and precision.

An exact check takes nothing for the same but the accepted values of the same seeds, which code that
computes the same has on the same processor with the same versions: it sees every change of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from reports.regression.limits import (
    FALSE_ALARMS,
    allowance,
    least,
    seeds_for_ranks,
    spreads_allowed,
)
from reports.regression.pairs import comparison, is_comparable, paired_allowance
from reports.tables.export import NOT_RUN
from reports.tables.layout import Table
from reports.tables.markup import markdown_table
from reports.tables.measured import lines_of, measured_frame, values_by_seed

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
        place = ""
        if not number.fixed:
            place = " in ".join(made_on(table, computed_for(line["records"], records)))
            if not exact and not is_comparable(number, line["seeds"], place):
                raise RefusedError(
                    f"{table.name}: the accepted numbers are of {number.made_on}, these of "
                    f"{place}: not compared"
                )
        by_seed = values_by_seed(line)
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
        compared = compare_numbers(number, by_seed, numbers or drawn(accepted), place)
        verdict = "same"
        above = compared.pop("above")
        if compared.pop("differs"):
            verdict = "better" if above == column.higher_is_better else "worse"
        found.append(CheckedNumber(**of | compared, equal=equal, verdict=verdict))
    return found + [
        CheckedNumber(**_named(table, key, number), verdict="not measured")
        for key, number in expected.items()
    ]


def drawn(accepted: Sequence[Accepted]) -> int:
    """How many of the numbers differ from seed to seed, and could fail by chance; one at least."""
    return max(1, sum(not number.fixed for number in accepted))


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
    accepted: Accepted, by_seed: Mapping[int, float], numbers: int, place: str
) -> dict[str, Any]:
    """Values computed in ``place``: as `pairs.comparison` says; a fixed number by itself.

    Seed by seed, ``accepted``, ``sd`` and ``accepted_n`` are what those seeds had, with the
    rounding's sd.
    """
    if accepted.fixed:
        distance, allowed = fmean(by_seed.values()) - accepted.mean, least(accepted)
        return {"differs": abs(distance) > allowed, "above": distance > 0, "allowed": allowed}
    how = comparison(accepted, by_seed.keys(), numbers, place)
    if not how.paired:
        return compare_seeds(accepted, list(by_seed.values()), how.numbers)
    second = dict(zip(accepted.again_seeds, accepted.again, strict=True))
    expected = {seed: (accepted.by_seed[seed] + second[seed]) / 2 for seed in by_seed}
    distance = fmean(by_seed.values()) - fmean(expected.values())
    allowed = paired_allowance(accepted, len(by_seed), how.numbers)
    return {
        "differs": abs(distance) > allowed,
        "above": distance > 0,
        "allowed": allowed,
        "accepted": fmean(expected.values()),
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
