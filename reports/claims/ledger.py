"""The claims ledger: every number that the paper published, and what was measured of it here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import msgspec
import pandas as pd
import scipy

from reports.claims.comparability import differences
from reports.claims.matching import MeasuredClaim, measured_claims, most_comparable, remarks
from reports.published import Published, paper_notes, published
from reports.records import Record
from reports.seed_statistics import ENOUGH_SEEDS
from reports.tables.layout import Table

Judged = Literal[
    "agrees within noise", "higher", "lower", "can't tell", "not comparable", "not run"
]
#: Of settings in the paper's text, which nothing measures: the recipe has them or another value.
Setting = Literal["set as published", "set otherwise"]
JUDGED: tuple[Judged, ...] = get_args(Judged)
SETTINGS: tuple[Setting, ...] = get_args(Setting)
VERDICTS = (*JUDGED, *SETTINGS)
COLUMNS = (
    *("id", "table", "dataset", "teacher", "student", "method", "metric", "published", "unit"),
    *("measured", "sd", "n", "scale", "measured_on", "difference", "verdict", "reason", "note"),
    "records",
)
#: Of a number of which nothing was measured; what is not said is nan.
NOT_RUN: dict[str, Any] = {
    **{"n": 0, "scale": "", "measured_on": "", "verdict": "not run", "reason": "", "records": ""}
}
PROTOCOL = "protocol"
CONFIDENCE = 0.95
#: Noise that leaves more room than this, in points or as a share, says nothing of agreement.
TELLING_POINTS, TELLING_SHARE = 3.0, 0.1


def ledger(
    tables: Sequence[Table], records: Mapping[str, Record], protocol: Mapping[str, float]
) -> pd.DataFrame:
    """One row per published number, in the paper's order.

    Its columns are `COLUMNS`, keys of records separated by spaces. What was measured is the most
    comparable among ``tables``: on the same data set before another, then at the larger scale.
    ``protocol`` maps the ids of published settings, such as numbers of images, to the values of the
    recipes at scale paper: nothing is measured of those, and their verdicts are of their own.
    RecordError if a table and its records don't fit together.
    """
    found = measured_claims(tables, records)
    lines = []
    for number in published().values():
        line = NOT_RUN | msgspec.structs.asdict(number)
        note = paper_notes().notes.get(number.note, "")
        line |= {"id": number.id, "published": number.value, "note": note}
        if number.method == PROTOCOL:
            line |= _of_recipe(number, protocol)
        elif claim := most_comparable(found.get(number.id, []), number):
            line |= _measured(number, claim, records)
        lines.append(line)
    numbers = dict.fromkeys(("measured", "sd", "difference"), "float64")
    return pd.DataFrame(lines, columns=COLUMNS).astype(numbers)


def _of_recipe(number: Published, protocol: Mapping[str, float]) -> dict[str, Any]:
    if number.id not in protocol:
        return {}
    value = protocol[number.id]
    verdict: Setting = "set as published" if value == number.value else "set otherwise"
    return {
        "measured": value,
        "scale": "paper",
        "measured_on": "recipe",
        "difference": value - number.value,
        "verdict": verdict,
        "reason": "the recipe of scale paper",
    }


def _measured(
    number: Published, measured: MeasuredClaim, records: Mapping[str, Record]
) -> dict[str, Any]:
    difference = measured.mean - number.value if measured.dataset == number.dataset else None
    unlike = differences(number, measured, records)
    if unlike or difference is None:
        verdict: Judged = "not comparable"
        reasons = unlike
    else:
        allowed, what = allowance(number, measured)
        verdict = _direction(difference, allowed, _telling(number))
        reasons = [_reason(verdict, allowed, what)]
    return {
        "measured": measured.mean,
        "sd": measured.sd,
        "n": measured.n,
        "scale": measured.scale,
        "measured_on": measured.dataset,
        "difference": difference,
        "verdict": verdict,
        "reason": "; ".join([*reasons, *remarks(measured.n, measured)]),
        "records": " ".join(measured.records),
    }


def allowance(number: Published, measured: MeasuredClaim) -> tuple[float, str]:
    """How far two values may lie apart and still agree, and what that is; infinite if unknown."""
    if measured.n < ENOUGH_SEEDS or measured.sd is None:
        return math.inf, f"our noise is not known with n = {measured.n}"
    quantile = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, measured.n - 1))
    half = quantile * measured.sd * (1 + 1 / measured.n) ** 0.5
    known = [(half, f"as far as 95 % of single runs lie by our n = {measured.n}")]
    noise = paper_notes().noise.get(number.metric)
    if noise is not None:
        known.append((noise, "as far as two of the paper's own runs lie apart"))
    return max(known)


def _telling(number: Published) -> float:
    return TELLING_POINTS if number.unit == "%" else TELLING_SHARE * abs(number.value)


def _direction(difference: float, allowed: float, telling: float) -> Judged:
    if abs(difference) <= allowed:
        return "agrees within noise" if allowed <= telling else "can't tell"
    return "higher" if difference > 0 else "lower"


def _reason(verdict: Judged, allowed: float, what: str) -> str:
    if math.isinf(allowed):
        return what
    how = {"agrees within noise": "within ", "can't tell": "noise leaves ±"}
    return f"{how.get(verdict, 'more than ')}{allowed:.2g}, {what}"
