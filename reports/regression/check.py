"""Hold a view's numbers against the accepted ones, in both directions.

The values of n seeds are ranked among those of N accepted seeds (Mann-Whitney's U, exact): a number
fails when chance would rank them so in fewer than one of a hundred checks, over all numbers
(Bonferroni). Ranks make no assumption about the noise, whose tails are heavy: one teacher in nine
inverts badly. With so few seeds that no ranking is that rare, Student's interval is all there is:
t(1 % over all numbers; N - 1) * sd * sqrt(1 / n + 1 / N) for the means, right for normal noise.

Means within one point of a percentage or one percent of anything else are always the same. Better
is a fault as well, until it is known why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Literal, cast

import msgspec
from scipy import stats

from reports.records import Record
from reports.regression.accept import RefusedError, device_of
from reports.regression.accepted import Accepted, Place
from reports.tables.layout import View
from reports.tables.measured import tidy

FALSE_ALARMS = 0.01
POINTS, SHARE = 1.0, 0.01

Verdict = Literal["same", "worse", "better", "not accepted", "not measured"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a check in its unit; what there is nothing of is None, or n = 0.

    It was judged by ``p`` against ``p_limit`` (ranks), or by ``allowed`` (the means' distance).
    """

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
    p: float | None = None
    p_limit: float | None = None
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
        judged = judge(number, line["values"], numbers or len(accepted))
        verdict: Verdict = "same"
        if judged.pop("differs"):
            verdict = "better" if (mean > number.mean) == column.higher_is_better else "worse"
        found.append(_difference(view, place, verdict, number, measured=mean, n=n, **judged))
    return found + [
        _difference(view, place, "not measured", number) for place, number in expected.items()
    ]


def seeds_for_ranks(accepted_n: int, numbers: int) -> int:
    """The fewest seeds whose ranks among ``accepted_n`` can fail one of ``numbers``."""
    n = 1
    while 2 / math.comb(n + accepted_n, n) >= FALSE_ALARMS / numbers:
        n += 1
    return n


def allowance(accepted: Accepted, n: int, numbers: int) -> float:
    """How far the mean of ``n`` seeds may lie from the accepted one, were the noise normal."""
    quantile = float(stats.t.ppf(1 - FALSE_ALARMS / (2 * numbers), accepted.n - 1))
    return max(_least(accepted), quantile * accepted.sd * math.sqrt(1 / n + 1 / accepted.n))


def judge(accepted: Accepted, values: Sequence[float], numbers: int) -> dict[str, Any]:
    """Whether the values differ (``differs``), and by which of a `Difference`'s limits."""
    distance = abs(fmean(values) - accepted.mean)
    if len(values) < seeds_for_ranks(accepted.n, numbers):
        allowed = allowance(accepted, len(values), numbers)
        return {"differs": distance > allowed, "allowed": allowed}
    p = float(stats.mannwhitneyu(values, accepted.values, method="exact").pvalue)
    limit = FALSE_ALARMS / numbers
    return {"differs": p < limit and distance > _least(accepted), "p": p, "p_limit": limit}


def _least(accepted: Accepted) -> float:
    """A distance of means that is never a fault."""
    return POINTS if accepted.unit == "%" else SHARE * abs(accepted.mean)


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
