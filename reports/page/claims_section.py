"""The claims section: each published number beside what was measured, and the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from reports.claims.ledger import PROTOCOL, VERDICTS
from reports.records import Record
from reports.tables import export
from reports.tables.layout import View

COLUMNS = (
    *("id", "table", "dataset", "teacher", "student", "method", "metric", "published", "unit"),
    *("measured", "sd", "n", "scale", "measured_on", "difference", "verdict", "reason", "note"),
    "records",
)


@dataclass(frozen=True)
class Ledger:
    """Claims as the template needs them, how many have each verdict, and anchors by claim id."""

    claims: list[dict[str, Any]]
    verdicts: dict[str, int]
    anchors: dict[str, str]


def ledger_of(claims: pd.DataFrame, views: Sequence[View], records: Mapping[str, Record]) -> Ledger:
    """The ledger's texts and links; ValueError if one of `COLUMNS` is missing."""
    if absent := [name for name in COLUMNS if name not in claims.columns]:
        raise ValueError(f"the claims have no column {', '.join(absent)}")
    titles = _titles(views)
    found = [
        _claim(f"claim-{index}", line, titles.get(str(line["id"]), ""), records)
        for index, line in enumerate(export.lines_of(claims), start=1)
    ]
    measured = {view.dataset for view in views}
    for claim in found:  # those of a recipe or of nothing are found by the paper's data set
        on = claim["measured_on"]
        claim["filter_dataset"] = on if on in measured else claim["dataset"]
    counts = Counter(claim["verdict"] for claim in found)
    order = [*VERDICTS, *(verdict for verdict in counts if verdict not in VERDICTS)]
    return Ledger(
        found,
        {verdict: counts[verdict] for verdict in order if counts[verdict]},
        {claim["id"]: claim["anchor"] for claim in found},
    )


def _claim(
    anchor: str, line: export.Line, title: str, records: Mapping[str, Record]
) -> dict[str, Any]:
    texts = {name: _text(line[name]) for name in COLUMNS}
    published, measured, sd, difference = (
        _number(line[name]) for name in ("published", "measured", "sd", "difference")
    )
    # Settings such as 256,000 images or a rate of 0.05 are exact: they have no decimals to fill.
    places = 2 if texts["unit"] == "%" else export.places(published)
    show = _exact if texts["method"] == PROTOCOL else partial(export.number, places=places)
    return {
        **texts,
        "anchor": anchor,
        "method_title": title or texts["method"],
        "filter_method": title,
        "n": int(_number(line["n"]) or 0),
        "published": published,
        "measured": measured,
        "difference": difference,
        "published_text": show(published),
        "measured_text": show(measured),
        "sd_text": "" if sd is None else show(sd),
        "difference_text": "" if difference is None else _signed(difference, show),
        "links": [(records[key].label, key) for key in _keys(line["records"]) if key in records],
    }


def _signed(difference: float, show: Callable[[float | None], str]) -> str:
    return ("+" if difference >= 0 else "") + show(difference)


def _exact(value: float | None) -> str:
    return export.NOT_RUN if value is None else f"{value:,.10g}"


def _titles(views: Sequence[View]) -> dict[str, str]:
    """The method of each published number, as the page's filters call it."""
    return {
        cell.claim: column.method or row.method
        for view in views
        for row in view.rows
        for column in view.columns
        if (cell := row.cells.get(column.id)) and cell.claim
    }


def _keys(value: object) -> list[str]:
    """Record keys from a list, or from text with spaces between them."""
    if isinstance(value, str):
        return value.split()
    return [str(key) for key in value] if isinstance(value, Iterable) else []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if math.isnan(value) else float(value)


def _text(value: object) -> str:
    none = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    return "" if none else str(value)
