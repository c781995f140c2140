"""One table of the page with its figures, pictures and notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports import notes, typeset
from reports.page.ledger import Ledger
from reports.page.numbers import number_of
from reports.page.pictures import picture_of, plate_of
from reports.page.uses import Uses
from reports.records import Record
from reports.sheet import Sheet
from reports.views import Column, View


def section_of(
    name: str,
    sheet: Sheet,
    records: Mapping[str, Record],
    runs: Path,
    uses: Uses,
    ledger: Ledger | None,
) -> dict[str, Any]:
    """What the template needs; ``name`` is the section's anchor."""
    view, frame = sheet.view, sheet.frame
    places = typeset.decimals(frame)
    lines = typeset.lines_of(frame)
    titles = {column.id: column.title for column in view.columns}
    labels = list(view.rows[0].labels)
    numbers: list[dict[str, Any]] = []
    for index, line in enumerate(lines):
        head = ", ".join([titles[line["column"]], *(line[label] for label in labels)])
        number = number_of(f"{name}-n{index}", view, head, line, places[line["column"]])
        number["claim_anchor"] = ledger.anchors.get(line["claim"], "") if ledger else ""
        numbers.append(number)
    width = len(view.columns)
    about_published = notes.about_published(view)
    return {
        "name": name,
        "view": view,
        "heads": [_head(view, column) for column in view.columns],
        "methods": methods_of(view),
        "better": _better(view),
        "notes": [note for note in notes.notes(view, frame) if note != about_published],
        "about_columns": notes.about_columns(view),
        "about_published": about_published,
        "has_published": notes.has_published(view),
        "footnotes": notes.footnotes(view),
        "rows": [
            {
                "labels": row.labels,
                "method": row.method,
                "role": row.role,
                "numbers": numbers[index * width : (index + 1) * width],
            }
            for index, row in enumerate(view.rows)
        ],
        "measured": sum(1 for line in lines if line["n"]),
        "planned": sum(1 for line in lines if line["planned"]),
        "plates": [plate_of(plate, records) for plate in sheet.plates],
        "pictures": [picture_of(picture, records, runs, uses) for picture in view.pictures],
    }


def methods_of(view: View) -> list[str]:
    """The methods that columns or rows of the view belong to, in order."""
    items = [*view.columns, *view.rows]
    return list(dict.fromkeys(item.method for item in items if item.method))


def _head(view: View, column: Column) -> dict[str, Any]:
    """A column's title without its group, what stands below it, and which way it goes."""
    grouped = column.group and column.detail == column.group
    title = column.title.removesuffix(f", {column.group}") if grouped else column.title
    mixed_units = len({other.unit for other in view.columns}) > 1
    unit = f"in {column.unit}" if mixed_units and column.unit else ""
    mixed_ways = len({other.higher_is_better for other in view.columns}) > 1
    return {
        "title": title,
        "small": ", ".join(part for part in (unit, column.detail) if part)
        or ("baseline" if column.role == "baseline" else ""),
        "way": ("higher" if column.higher_is_better else "lower") if mixed_ways else "",
        "baseline": column.role == "baseline",
        "method": column.method,
    }


def _better(view: View) -> str:
    """The first words of a table's caption."""
    ways = {column.higher_is_better for column in view.columns}
    metrics = {(column.metric, column.unit) for column in view.columns}
    if len(ways) > 1:
        return "↑ higher is better, ↓ lower is better."  # the column heads have these arrows
    if len(metrics) == 1:
        said = notes.directions(view)
    else:
        units = {unit for _, unit in metrics}
        unit = f"in {units.pop()}, " if len(units) == 1 and units != {""} else ""
        said = f"{unit}{'higher' if ways.pop() else 'lower'} is better"
    return f"{said[:1].upper()}{said[1:]}."
