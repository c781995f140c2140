"""One table of the page with its figures, pictures and notes; each number with texts and links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.page.claims_section import ClaimsSection
from reports.page.cost import cost_section
from reports.page.filters import FilterIndex, methods_of
from reports.page.number_format import p_value
from reports.page.pictures import figure_picture, sample_picture
from reports.records import Record
from reports.seed_statistics import CORRECTION
from reports.table_report import TableReport
from reports.tables import export, notes, published_notes
from reports.tables.layout import Column, Table
from reports.tables.measured import Line, lines_of

MARK_WORDS = {"best": "best", "second": "second best", "tied": "one of the first two", "": ""}


def table_section(
    place: int,
    report: TableReport,
    records: Mapping[str, Record],
    runs: Path,
    index: FilterIndex,
    claims: ClaimsSection | None,
) -> dict[str, Any]:
    """What the template needs; ``place`` counts the page's sections from 0."""
    table, frame = report.table, report.frame
    slug = re.sub(r"[^a-z0-9]+", "-", table.name.lower()).strip("-")
    name = f"{slug}-{place + 1}"
    about_published = published_notes.about_published(table)
    return {
        "name": name,
        "place": place,
        "table": table,
        "seeds": notes.seeds_text(table.seeds),
        "methods": index.numbers(methods_of(table)),
        "better": _better(table),
        "notes": [note for note in notes.notes(table, frame) if note != about_published],
        "about_columns": notes.about_columns(table),
        "about_published": about_published,
        "has_published": published_notes.has_published(table),
        "footnotes": published_notes.footnotes(frame),
        "stays": staying_labels(table),
        "heads": [_head(table, column, index) for column in table.columns],
        "rows": _rows(name, report, index, claims),
        "measured": int((frame["n"] > 0).sum()),
        "planned": int((frame["planned"] > 0).sum()),
        "cost": cost_section(report.costs, index),
        "figures": [figure_picture(figure) for figure in report.figures],
        "pictures": [sample_picture(picture, records, runs, index) for picture in table.pictures],
    }


def staying_labels(table: Table) -> list[bool]:
    """For each label whether its column stays where a narrow screen scrolls: if rows differ in it.

    The first does where none differs.
    """
    differ = [len({row.labels[name] for row in table.rows}) > 1 for name in table.rows[0].labels]
    return differ if any(differ) else [place == 0 for place in range(len(differ))]


def _rows(
    name: str, report: TableReport, index: FilterIndex, claims: ClaimsSection | None
) -> list[dict[str, Any]]:
    """Rows with their numbers; ``needs`` are the methods without which one is hidden."""
    table = report.table
    decimals, footnotes = export.decimals(report.frame), published_notes.footnotes(report.frame)
    lines = iter(enumerate(lines_of(report.frame)))
    rows = []
    for row in table.rows:
        numbers = []
        for column in table.columns:
            place, line = next(lines)
            head = ", ".join([column.title, *row.labels.values()])
            numbers.append(
                {
                    **number_cell(table, head, line, decimals[column.id]),
                    "anchor": f"{name}-n{place}",
                    "letter": footnotes.get(line["footnote"], ("", ""))[0],
                    "needs": index.numbers({column.method, row.method} - {""}),
                    "claim_anchor": claims.anchors.get(line["claim"], "") if claims else "",
                }
            )
        needs = index.numbers({row.method} - {""})
        rows.append({"labels": row.labels, "role": row.role, "needs": needs, "numbers": numbers})
    return rows


def number_cell(table: Table, head: str, line: Line, decimals: export.Decimals) -> dict[str, Any]:
    """``line`` of the long form with its texts; ``head`` says in the tooltip which number it is."""
    places = decimals.measured
    interval = difference = ""
    if not export.missing(line["ci_low"]):
        low, high = (export.number(line[name], places) for name in ("ci_low", "ci_high"))
        interval = f"{low} to {high}"
    if not export.missing(line["difference"]):
        difference = f"{line['difference']:+z.{places}f}"
    runs = [
        (seed, export.number(value, places), key)
        for seed, value, key in zip(line["seeds"], line["values"], line["records"], strict=True)
    ]
    published = export.published_number(line, decimals.published)
    p = "" if export.missing(line["p_value"]) else p_value(line["p_value"])
    tip = [head, *(f"seed {seed}: {text}" for seed, text, _ in runs)]
    if interval:
        tip.append(f"95 % interval: {interval}")
    elif line["n"] == 1:
        tip.append("one run: noise not known")
    if line["mark"] or p:
        tip.append(_about_mark(line["mark"], p))
    tip.append(f"published ({table.published_dataset}): {published}")
    return {
        **line,
        "runs": runs,
        "interval": interval,
        "p_text": p,
        "mean_text": export.number(line["mean"], places),
        "sd_text": export.number(line["sd"], places) if line["n"] > 1 else "",
        "published_text": published,
        "difference_text": difference,
        "mark_words": MARK_WORDS[line["mark"]],
        "tip": "\n".join(tip),
    }


def _about_mark(mark: str, p: str) -> str:
    if mark == "best":
        return f"best, significantly better than every other ({p}, {CORRECTION})"
    if mark == "second":
        return f"second best, significantly better than all after it ({p}, {CORRECTION})"
    if not mark:
        return f"one of two: paired t-test against the other, {p}, {CORRECTION}"
    if p:
        return (
            "one of the first two; the first is not significantly better than every other "
            f"({p}, {CORRECTION})"
        )
    return "one of the first two; too few seeds for a test"


def _head(table: Table, column: Column, index: FilterIndex) -> dict[str, Any]:
    """A column's title without its group, what stands below it, and which way it goes."""
    grouped = column.group and column.detail == column.group
    title = column.title.removesuffix(f", {column.group}") if grouped else column.title
    mixed_units = len({other.unit for other in table.columns}) > 1
    unit = f"in {column.unit}" if mixed_units and column.unit not in column.title else ""
    mixed_ways = len({other.higher_is_better for other in table.columns}) > 1
    return {
        "title": title,
        "small": ", ".join(part for part in (unit, column.detail) if part),
        "way": ("higher" if column.higher_is_better else "lower") if mixed_ways else "",
        "baseline": column.role == "baseline",
        "needs": index.numbers({column.method} - {""}),
    }


def _better(table: Table) -> str:
    """The first words of a table's caption."""
    ways = {column.higher_is_better for column in table.columns}
    metrics = {(column.metric, column.unit) for column in table.columns}
    units = {unit for _, unit in metrics}
    if len(ways) > 1:
        return "↑ higher is better, ↓ lower is better."  # the column heads have these arrows
    if len(metrics) == 1:
        said = notes.directions(table)
    else:
        parts = [f"in {units.pop()}"] if len(units) == 1 and units != {""} else []
        if notes.is_ranked(table):
            parts.append(f"{'higher' if ways.pop() else 'lower'} is better")
        said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""
