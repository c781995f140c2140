"""Which cells of the views measure a published number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, cast

from reports.published import Published, claim_id, published
from reports.records import Record
from reports.tables.layout import View
from reports.tables.measured import tidy

REPEATED = "table3"  # the table whose numbers the text repeats
GAIN = "pruning_gain_at_"
PRUNING, GAINING = "figure6", "ni"
SCALES = ("paper", "mini", "demo")


@dataclass(frozen=True)
class Match:
    """A published number as one view has it: mean over ``n`` seeds, and how it was come by."""

    view: str
    dataset: str
    scale: str
    mean: float
    sd: float | None
    n: int
    records: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    remark: str = ""


def matches(views: Sequence[View], records: Mapping[str, Record]) -> dict[str, list[Match]]:
    """What was measured, by the id of the published number; RecordError for unusable records."""
    found: dict[str, list[Match]] = defaultdict(list)
    for view in views:
        lines = cast(list[dict[str, Any]], tidy(view, records).to_dict("records"))
        for line in lines:
            if line["claim"] and line["n"]:
                found[line["claim"]].append(_match(view, line["values"], line["records"]))
        if view.table == PRUNING:
            for number in published().values():
                if number.metric.startswith(GAIN) and (gain := _gain(number, view, lines)):
                    found[number.id].append(gain)
    for number in published().values():
        if number.note == "repeats":
            found[number.id] += found[_repeated(number)]
    return found


def best(among: Sequence[Match], dataset: str) -> Match | None:
    """The same data set before another, then the larger scale, then more seeds."""

    def worth(match: Match) -> tuple[object, ...]:
        known = match.scale in SCALES
        scale = SCALES.index(match.scale) if known else len(SCALES)
        return match.dataset != dataset, scale, -match.n, match.view

    return min(among, key=worth, default=None)


def _match(view: View, values: Sequence[float], records: Sequence[str], remark: str = "") -> Match:
    return Match(
        view=view.name,
        dataset=view.dataset,
        scale=view.scale,
        overrides=tuple(view.overrides),
        mean=fmean(values),
        sd=stdev(values) if len(values) > 1 else None,
        n=len(values),
        records=tuple(records),
        remark=remark,
    )


def _repeated(number: Published) -> str:
    return claim_id(
        REPEATED, number.dataset, number.teacher, number.student, number.method, number.metric
    )


def _gain(number: Published, view: View, lines: Sequence[Mapping[str, Any]]) -> Match | None:
    """NI minus the best other method at the ratio, seed by seed, in percentage points."""
    ratio = number.metric.removeprefix(GAIN)
    methods = {column.id for column in view.columns if column.role == "method"}
    row = {
        line["column"]: line
        for line in lines
        if line["row"] == ratio and line["column"] in methods and line["n"]
    }
    own = row.pop(GAINING, None)
    if own is None or not row:
        return None
    other = max(row.values(), key=lambda line: float(line["mean"]))
    values = dict(zip(other["seeds"], other["values"], strict=True))
    gains = [
        value - values[seed]
        for seed, value in zip(own["seeds"], own["values"], strict=True)
        if seed in values
    ]
    if not gains:
        return None
    name = next(column.title for column in view.columns if column.id == other["column"])
    return _match(view, gains, own["records"] + other["records"], f"here over {name}")
