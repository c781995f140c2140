"""The claims ledger: every number that the paper published, and what was measured of it here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from scipy import stats

from reports.claims.comparability import differences
from reports.claims.matching import Match, best, matches
from reports.published import Published, published, remarks
from reports.records import Record
from reports.seed_statistics import ENOUGH_SEEDS
from reports.tables.layout import View

Verdict = Literal["agrees within noise", "higher", "lower", "not comparable", "not run"]
VERDICTS: tuple[Verdict, ...] = (
    "agrees within noise",
    "higher",
    "lower",
    "not comparable",
    "not run",
)

PROTOCOL = "protocol"
CONFIDENCE = 0.95
POINTS = 0.5  # what is allowed of an accuracy where neither side's noise is known


def ledger(
    views: Sequence[View], records: Mapping[str, Record], protocol: Mapping[str, float]
) -> pd.DataFrame:
    """One row per published number, in the paper's order.

    Columns: id, table, dataset, teacher, student, method, metric, published, unit, measured, sd, n,
    scale, measured_on, difference, verdict, reason, note, and records, whose keys are separated by
    spaces. What was measured is the best match among ``views``: on the same data set before
    another, then at the larger scale. ``protocol`` maps the ids of published settings, such as
    numbers of images, to the values of the recipes at scale paper. RecordError if a view and its
    records don't fit together.
    """
    found = matches(views, records)
    lines = []
    for number in published().values():
        line = _published(number)
        if number.method == PROTOCOL:
            line |= _of_recipe(number, protocol)
        elif match := best(found.get(number.id, []), number.dataset):
            line |= _measured(number, match, records)
        lines.append(line)
    numbers = dict.fromkeys(("measured", "sd", "difference"), "float64")
    return pd.DataFrame(lines).astype(numbers)


def _published(number: Published) -> dict[str, Any]:
    """The line of a number of which nothing was measured."""
    return {
        "id": number.id,
        "table": number.table,
        "dataset": number.dataset,
        "teacher": number.teacher,
        "student": number.student,
        "method": number.method,
        "metric": number.metric,
        "published": number.value,
        "unit": number.unit,
        "measured": None,
        "sd": None,
        "n": 0,
        "scale": "",
        "measured_on": "",
        "difference": None,
        "verdict": "not run",
        "reason": "",
        "note": remarks().notes.get(number.note, ""),
        "records": "",
    }


def _of_recipe(number: Published, protocol: Mapping[str, float]) -> dict[str, Any]:
    if number.id not in protocol:
        return {}
    value = protocol[number.id]
    difference = value - number.value
    return {
        "measured": value,
        "scale": "paper",
        "measured_on": "recipe",
        "difference": difference,
        "verdict": _direction(difference, 0.0),
        "reason": "the recipe of scale paper",
    }


def _measured(number: Published, match: Match, records: Mapping[str, Record]) -> dict[str, Any]:
    difference = match.mean - number.value if match.dataset == number.dataset else None
    unlike = differences(number, match, records)
    if unlike or difference is None:
        verdict: Verdict = "not comparable"
        reason = "; ".join(unlike + [match.remark] * bool(match.remark))
    else:
        allowed, why = allowance(number, match)
        verdict, reason = _direction(difference, allowed), why
    return {
        "measured": match.mean,
        "sd": match.sd,
        "n": match.n,
        "scale": match.scale,
        "measured_on": match.dataset,
        "difference": difference,
        "verdict": verdict,
        "reason": reason,
        "records": " ".join(match.records),
    }


def allowance(number: Published, match: Match) -> tuple[float, str]:
    """How far two values may lie apart and still agree, and why so far."""
    known = []
    noise = remarks().noise.get(number.metric)
    if noise is not None:
        known.append((noise, f"within {noise:g}, how far two of the paper's own runs lie apart"))
    if match.n >= ENOUGH_SEEDS and match.sd is not None:
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, match.n - 1))
        half = quantile * match.sd * (1 + 1 / match.n) ** 0.5
        runs = f"where 95 % of single runs lie by our n = {match.n}"
        known.append((half, f"within {half:.2g}, {runs}"))
    if known:
        return max(known)
    points = POINTS if number.unit == "%" else 0.0
    return points, f"within {points:g}: the paper's noise is not known, nor ours with n = {match.n}"


def _direction(difference: float, allowed: float) -> Verdict:
    if abs(difference) <= allowed:
        return "agrees within noise"
    return "higher" if difference > 0 else "lower"
