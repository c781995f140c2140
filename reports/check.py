"""Hold a view's numbers against the accepted ones, in both directions.

A mean of n seeds may lie as far from the accepted mean of N seeds as chance carries it in one of a
hundred checks: t(1 % over all numbers, Bonferroni; N - 1) * sd * sqrt(1 / n + 1 / N), and always
one point of a percentage or one percent of anything else. Better than that is a fault as well,
until it is known why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import msgspec
from scipy import stats

from reports.accept import RefusedError, device_of
from reports.accepted_numbers import Accepted, Place
from reports.records import Record
from reports.tables import tidy
from reports.views import View

FALSE_ALARMS = 0.01
POINTS, SHARE = 1.0, 0.01

Verdict = Literal["same", "worse", "better", "not accepted", "not measured"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a check in its unit; what there is nothing of is None, or n = 0."""

    view: str
    row: str
    column: str
    metric: str
    unit: str
    accepted: float | None = None
    sd: float | None = None
    accepted_n: int = 0
    measured: float | None = None
    n: int = 0
    allowed: float | None = None
    verdict: Verdict

    @property
    def fails(self) -> bool:
        """A number without an accepted one is only reported."""
        return self.verdict in ("worse", "better", "not measured")


def compare(
    view: View, records: Mapping[str, Record], accepted: Sequence[Accepted], numbers: int = 0
) -> list[Difference]:
    """What has become of every number, the view's first, then the accepted ones it lacks.

    ``numbers`` is how many the whole check compares, by default those accepted here. RefusedError,
    in one line, for numbers of another class of device.
    """
    expected = {number.place: number for number in accepted}
    columns = {column.id: column for column in view.columns}
    found = []
    for line in cast(list[dict[str, Any]], tidy(view, records).to_dict("records")):
        if not line["n"]:
            continue
        column, mean, n = columns[line["column"]], float(line["mean"]), int(line["n"])
        place = (line["row"], column.id, line["metric"], column.unit)
        number = expected.pop(place, None)
        if number is None:
            found.append(_difference(view, place, "not accepted", measured=mean, n=n))
            continue
        _refuse_other_device(view, number, [records[key] for key in line["records"]])
        allowed = allowance(number, n, numbers or len(accepted))
        verdict = _verdict(mean - number.mean, allowed, column.higher_is_better)
        found.append(_difference(view, place, verdict, number, measured=mean, n=n, allowed=allowed))
    return found + [
        _difference(view, place, "not measured", number) for place, number in expected.items()
    ]


def allowance(accepted: Accepted, n: int, numbers: int) -> float:
    """How far the mean of ``n`` seeds may lie from the accepted one, ``numbers`` being checked."""
    least = POINTS if accepted.unit == "%" else SHARE * abs(accepted.mean)
    quantile = float(stats.t.ppf(1 - FALSE_ALARMS / (2 * numbers), accepted.n - 1))
    return max(least, quantile * accepted.sd * math.sqrt(1 / n + 1 / accepted.n))


def _verdict(difference: float, allowed: float, higher_is_better: bool) -> Verdict:
    if abs(difference) <= allowed:
        return "same"
    return "better" if (difference > 0) == higher_is_better else "worse"


def _difference(
    view: View, place: Place, verdict: Verdict, number: Accepted | None = None, **measured: Any
) -> Difference:
    row, column, metric, unit = place
    known: dict[str, Any] = {}
    if number is not None:
        known = {"accepted": number.mean, "sd": number.sd, "accepted_n": number.n}
    return Difference(
        view=view.name,
        row=row,
        column=column,
        metric=metric,
        unit=unit,
        verdict=verdict,
        **known,
        **measured,
    )


def _refuse_other_device(view: View, number: Accepted, records: Sequence[Record]) -> None:
    found = device_of(view, records)
    if found != number.device:
        raise RefusedError(
            f"{view.name}: the accepted numbers are of {number.device}, these of {found}: "
            "not compared"
        )
