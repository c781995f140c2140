"""One table of the page with its figures, pictures and notes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.page.claims_section import Ledger
from reports.page.cost import cost_section
from reports.page.filters import Uses, methods_of
from reports.page.numbers import number_of
from reports.page.pictures import picture_of, plate_of
from reports.records import Record
from reports.table_report import Sheet
from reports.tables import export, notes
from reports.tables.layout import Column, View


def section_of(
    place: int,
    sheet: Sheet,
    records: Mapping[str, Record],
    runs: Path,
    uses: Uses,
    ledger: Ledger | None,
) -> dict[str, Any]:
    """What the template needs; ``place`` counts the page's sections from 0."""
    view, frame = sheet.view, sheet.frame
    slug = re.sub(r"[^a-z0-9]+", "-", view.name.lower()).strip("-")
    name = f"{slug}-{place + 1}"
    about_published = notes.about_published(view)
    return {
        "name": name,
        "place": place,
        "view": view,
        "methods": uses.numbers(methods_of(view)),
        "better": _better(view),
        "notes": [note for note in notes.notes(view, frame) if note != about_published],
        "about_columns": notes.about_columns(view),
        "about_published": about_published,
        "has_published": notes.has_published(view),
        "footnotes": notes.footnotes(view),
        "heads": [_head(view, column, uses) for column in view.columns],
        "rows": _rows(name, sheet, uses, ledger),
        "measured": int((frame["n"] > 0).sum()),
        "planned": int((frame["planned"] > 0).sum()),
        "cost": cost_section(sheet.costs, uses),
        "plates": [plate_of(plate, records) for plate in sheet.plates],
        "pictures": [picture_of(picture, records, runs, uses) for picture in view.pictures],
    }


def _rows(name: str, sheet: Sheet, uses: Uses, ledger: Ledger | None) -> list[dict[str, Any]]:
    """Rows with their numbers; ``needs`` are the methods without which one is hidden."""
    view = sheet.view
    places = export.decimals(sheet.frame)
    lines = iter(enumerate(export.lines_of(sheet.frame)))
    rows = []
    for row in view.rows:
        numbers = []
        for column in view.columns:
            index, line = next(lines)
            head = ", ".join([column.title, *row.labels.values()])
            number = number_of(f"{name}-n{index}", view, head, line, places[column.id])
            number["needs"] = uses.numbers({column.method, row.method} - {""})
            number["claim_anchor"] = ledger.anchors.get(line["claim"], "") if ledger else ""
            numbers.append(number)
        needs = uses.numbers({row.method} - {""})
        rows.append({"labels": row.labels, "role": row.role, "needs": needs, "numbers": numbers})
    return rows


def _head(view: View, column: Column, uses: Uses) -> dict[str, Any]:
    """A column's title without its group, what stands below it, and which way it goes."""
    grouped = column.group and column.detail == column.group
    title = column.title.removesuffix(f", {column.group}") if grouped else column.title
    mixed_units = len({other.unit for other in view.columns}) > 1
    unit = f"in {column.unit}" if mixed_units and column.unit else ""
    mixed_ways = len({other.higher_is_better for other in view.columns}) > 1
    return {
        "title": title,
        "small": ", ".join(part for part in (unit, column.detail) if part),
        "way": ("higher" if column.higher_is_better else "lower") if mixed_ways else "",
        "baseline": column.role == "baseline",
        "needs": uses.numbers({column.method} - {""}),
    }


def _better(view: View) -> str:
    """The first words of a table's caption."""
    ways = {column.higher_is_better for column in view.columns}
    metrics = {(column.metric, column.unit) for column in view.columns}
    units = {unit for _, unit in metrics}
    if len(ways) > 1:
        return "↑ higher is better, ↓ lower is better."  # the column heads have these arrows
    if len(metrics) == 1:
        said = notes.directions(view)
    else:
        parts = [f"in {units.pop()}"] if len(units) == 1 and units != {""} else []
        if notes.competes(view):
            parts.append(f"{'higher' if ways.pop() else 'lower'} is better")
        said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""
