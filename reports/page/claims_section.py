"""The claims section: each published number beside what was measured, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from reports.claims.ledger import COLUMNS, PROTOCOL, VERDICTS
from reports.claims.orderings import orderings
from reports.records import Record
from reports.tables import export
from reports.tables.layout import Table
from reports.tables.measured import Line, lines_of

NUMBERS = ("published", "measured", "sd", "difference")


@dataclass(frozen=True)
class ClaimsSection:
    """Claims as the template needs them, how many have each verdict, and anchors by claim id.

    ``settings`` is how many of them are no results; ``orderings`` are those measured.
    """

    claims: list[dict[str, Any]]
    settings: int
    verdicts: dict[str, int]
    anchors: dict[str, str]
    orderings: list[dict[str, Any]]


def claims_section(
    claims: pd.DataFrame, tables: Sequence[Table], records: Mapping[str, Record]
) -> ClaimsSection:
    """The ledger's texts and links; ValueError if it lacks a column."""
    if absent := [name for name in COLUMNS if name not in claims.columns]:
        raise ValueError(f"the claims have no column {', '.join(absent)}")
    titles = _titles(tables)
    measured_on = {table.dataset for table in tables}
    found = []
    for number, line in enumerate(lines_of(claims), start=1):
        claim = _claim(line, _title(line, titles), records)
        # Those of a recipe or of nothing are found by the paper's data set.
        on = claim["measured_on"] if claim["measured_on"] in measured_on else claim["dataset"]
        found.append({**claim, "anchor": f"claim-{number}", "filter_dataset": on})
    counts = Counter(claim["verdict"] for claim in found)
    return ClaimsSection(
        found,
        sum(claim["method"] == PROTOCOL for claim in found),
        {verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]},
        {claim["id"]: claim["anchor"] for claim in found},
        [_ordering(line) for line in lines_of(orderings(tables, records)) if line["n"]],
    )


def _titles(tables: Sequence[Table]) -> dict[tuple[str, str], str]:
    """The method of each published number, as the page's filters call it: by the number's id and a
    record, or none, where the plain method comes before its variants.
    """
    cells = [
        (table.cell(row, column), column.method or row.method)
        for table in tables
        for row in table.rows
        for column in table.columns
    ]
    found: dict[tuple[str, str], str] = {}
    for cell, title in sorted(cells, key=lambda one: one[0].variant):
        for key in ("", *cell.records):
            found.setdefault((cell.claim, key), title)
    return found


def _title(line: Line, titles: Mapping[tuple[str, str], str]) -> str:
    keys = [*line["records"].split()[:1], ""]
    return next((titles[line["id"], key] for key in keys if (line["id"], key) in titles), "")


def _ordering(line: Line) -> dict[str, Any]:
    places = 2 if line["unit"] == "%" else export.places(line["published"])
    show = partial(export.number, places=places)
    texts = {f"{name}_text": show(line[name]) for name in ("published", "measured")}
    return {**line, **texts}


def _claim(line: Line, title: str, records: Mapping[str, Record]) -> dict[str, Any]:
    numbers = {name: None if export.missing(line[name]) else line[name] for name in NUMBERS}
    # Settings such as 256,000 images or a rate of 0.05 are exact: they have no decimals to fill.
    places = 2 if line["unit"] == "%" else export.places(numbers["published"])
    show = _exact if line["method"] == PROTOCOL else partial(export.number, places=places)
    difference = numbers["difference"]
    sign = "+" if difference is not None and difference >= 0 else ""
    return {
        **line,
        **numbers,
        "method_title": title or line["method"],
        "filter_method": title,
        "published_text": show(numbers["published"]),
        "measured_text": show(numbers["measured"]),
        "sd_text": "" if numbers["sd"] is None else show(numbers["sd"]),
        "difference_text": "" if difference is None else sign + show(difference),
        "links": [(records[key].label, key) for key in line["records"].split() if key in records],
    }


def _exact(value: float | None) -> str:
    return export.NOT_RUN if value is None else f"{value:,.10g}"
