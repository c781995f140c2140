"""Which method is ahead of which: what the paper's numbers say, and what was measured of it.

A value of a smaller scale can't be compared with the paper's, but two methods at the same scale
can be with each other. An ordering is two of the paper's numbers of one row and metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import pandas as pd

from reports.claims.matching import MeasuredClaim, comparability, measured_claims, remarks
from reports.published import Published, published
from reports.records import Record
from reports.seed_statistics import (
    CORRECTION,
    ENOUGH_SEEDS,
    SIGNIFICANCE,
    compare_by_seed,
    correct_for_many,
)
from reports.tables.layout import Table

#: Scales of the paper's own data and image size, with teachers that know most of it.
COMPARABLE = ("paper", "mini", "small")
LOWER_IS_BETTER = ("fid", "fid_early")
FULL = "ni[o2o+ftp+acs]"
#: The first is the paper's claim of progress over the second.
PAIRS = (
    *(("ni", other) for other in ("dafl", "dfad", "di", "adi")),
    *(("ni_adi", other) for other in ("dafl", "dfad", "di", "adi", "ni")),
    ("adi", "di"),
    (FULL, "di"),
    ("ni[o2o]", "ni[generator]"),
    ("ni[o2o+ftp]", "ni[o2o]"),
    ("ni[o2o+acs]", "ni[o2o]"),
    (FULL, "ni[o2o+ftp]"),
    (FULL, "ni[o2o+acs]"),
    ("ni[f3+f4]", "ni[f4]"),
    ("ni[f2+f3+f4]", "ni[f3+f4]"),
    ("ni[all]", "ni[f2+f3+f4]"),
)
Direction = Literal["holds", "turns", "can't tell", "not run"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
COLUMNS = (
    *("table", "dataset", "teacher", "student", "metric", "unit", "ahead", "behind"),
    *("published", "measured", "n", "p", "scale", "direction", "reason"),
)


def orderings(tables: Sequence[Table], records: Mapping[str, Record]) -> pd.DataFrame:
    """One row for each ordering, `COLUMNS`, in the paper's order.

    ``ahead`` is the method that the paper has ahead. ``published`` and ``measured`` are its number
    less the other's, turned so that above zero it is ahead; ``p`` is that of the paired test over
    shared seeds, Benjamini-Hochberg over all orderings measured. RecordError if a table and its
    records don't fit together.
    """
    found = measured_claims(tables, records)
    lines = [_line(*pair, found) for pair in _pairs()]
    for line, p in zip(lines, correct_for_many([line["p"] for line in lines]), strict=True):
        line["p"] = p
        line["direction"], why = _direction(line)
        line["reason"] = "; ".join(filter(None, [why, *line["remarks"]]))
    numbers = dict.fromkeys(("published", "measured", "p"), "float64")
    return pd.DataFrame(lines, columns=COLUMNS).astype(numbers)


def _pairs() -> Iterator[tuple[Published, Published]]:
    """Two numbers of one row and metric, that of the better method first."""
    rows: dict[tuple[str, ...], dict[str, Published]] = {}
    for number in published().values():
        if number.note != "repeats":
            row = number.table, number.dataset, number.teacher, number.student, number.metric
            rows.setdefault(row, {})[number.method] = number
    for of in rows.values():
        for first, second in PAIRS:
            if first in of and second in of:
                a, b = of[first], of[second]
                yield (a, b) if _gain(a.value - b.value, a.metric) > 0 else (b, a)


def _line(
    ahead: Published, behind: Published, found: Mapping[str, list[MeasuredClaim]]
) -> dict[str, Any]:
    names = ("table", "dataset", "teacher", "student", "metric", "unit")
    line: dict[str, Any] = {name: getattr(ahead, name) for name in names}
    line |= {"ahead": ahead.method, "behind": behind.method, "measured": None, "n": 0, "p": None}
    line |= {"published": _gain(ahead.value - behind.value, ahead.metric), "scale": ""}
    line["remarks"] = []
    both = _most_comparable(ahead, behind, found)
    if both is None:
        return line
    compared = compare_by_seed(*(one.by_seed for one in both))
    assert compared.difference is not None
    return line | {
        "measured": _gain(compared.difference, ahead.metric),
        "n": compared.n,
        "p": compared.p_value,
        "scale": both[0].scale,
        "remarks": remarks(compared.n, *both),
    }


def _most_comparable(
    ahead: Published, behind: Published, found: Mapping[str, list[MeasuredClaim]]
) -> tuple[MeasuredClaim, MeasuredClaim] | None:
    """What one table measured of both in the same seeds: the first by `comparability` of the one,
    then of the other, then that of more seeds.
    """
    pairs = [
        (first, second)
        for first in found.get(ahead.id, [])
        for second in found.get(behind.id, [])
        if _usable(first, ahead) and second.table == first.table and _shared(first, second)
    ]

    def order(pair: tuple[MeasuredClaim, MeasuredClaim]) -> tuple[object, ...]:
        first, second = pair
        ranks = *comparability(first, ahead), *comparability(second, behind)
        return *ranks, -len(_shared(first, second)), first.table

    return min(pairs, key=order, default=None)


def _shared(first: MeasuredClaim, second: MeasuredClaim) -> set[int]:
    return first.by_seed.keys() & second.by_seed.keys()


def _usable(measured: MeasuredClaim, number: Published) -> bool:
    """Of the paper's data, at a scale that says something, by the recipes as they are."""
    comparable = measured.scale in COMPARABLE and measured.dataset == number.dataset
    return comparable and not measured.overrides


def _gain(difference: float, metric: str) -> float:
    return -difference if metric in LOWER_IS_BETTER else difference


def _direction(line: Mapping[str, Any]) -> tuple[Direction, str]:
    if not line["n"]:
        return "not run", ""
    if line["n"] < ENOUGH_SEEDS:
        return "can't tell", f"n = {line['n']}: {ENOUGH_SEEDS} seeds or more are needed"
    if line["p"] >= SIGNIFICANCE:
        return "can't tell", f"p = {line['p']:.2g}, {CORRECTION} over all orderings measured"
    return "holds" if line["measured"] > 0 else "turns", f"p = {line['p']:.2g}"
