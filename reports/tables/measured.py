"""One table of a view in long form: each measured number beside the published one.

``tidy`` is the table; everything else only prints it. A cell whose record is missing was not run:
it has no mean, never a zero. Numbers measured in unlike ways never share a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports import seed_statistics
from reports.records import Record, RecordError
from reports.seed_statistics import Contest, judge
from reports.tables.export import to_csv, to_latex, to_markdown
from reports.tables.layout import Column, Row, View, ViewCell

__all__ = ["LIKENESS", "refuse_unlike", "tidy", "to_csv", "to_latex", "to_markdown"]

#: What must be equal down a column: stated by the record (metrics, then recipe) or by its inputs,
#: and in which numbers it was computed.
LIKENESS = (
    "scale",
    "synthetic_images",
    "evaluated",
    "protocol",
    "pixels",
    "extractor",
    "--precision",
)


def tidy(view: View, records: Mapping[str, Record]) -> pd.DataFrame:
    """Long form, a line per cell, values in the column's unit (so 93.72 for 93.72 %).

    Columns: row, column, one per label, metric, mean, sd, n, planned, ci_low, ci_high, published,
    difference (only if measured on the published data set), reimplemented, footnote, claim, mark,
    p_value (of the first two of a contest, corrected), and the tuples seeds, values, records.
    RecordError if unlike numbers meet in a column.
    """
    refuse_unlike(view, records)
    measured = {
        (row.id, column.id): _measured(view, row, column, records)
        for row in view.rows
        for column in view.columns
    }
    marks: dict[tuple[str, str], str] = {}
    p_values: dict[tuple[str, str], float | None] = {}
    contests = _contests(view, measured)
    verdicts = judge([contest for contest, _ in contests])
    for (_, places_of), verdict in zip(contests, verdicts, strict=True):
        for name, mark in verdict.marks.items():
            marks[places_of[name]] = mark
            p_values[places_of[name]] = verdict.p_value
    return pd.DataFrame(
        _line(view, row, column, measured[place], marks.get(place, ""), p_values.get(place))
        for row in view.rows
        for column in view.columns
        for place in [(row.id, column.id)]
    )


Place = tuple[str, str]  # row, column


def _contests(
    view: View, measured: Mapping[Place, Mapping[int, tuple[str, float]]]
) -> list[tuple[Contest, dict[str, Place]]]:
    """Who competes with whom: by name, with the place of each in the table."""
    groups: dict[tuple[str, ...], dict[str, Place]] = {}
    columns = {column.id: column for column in view.columns}
    for row in view.rows:
        for column in view.columns:
            if "baseline" in (row.role, column.role):
                continue
            if view.contest == "row":
                group: tuple[str, ...] = (row.id, column.group, column.metric)
                groups.setdefault(group, {})[column.id] = (row.id, column.id)
            else:
                groups.setdefault((column.id,), {})[row.id] = (row.id, column.id)
    found = []
    for places in groups.values():
        values = {
            name: {seed: value for seed, (_, value) in measured[place].items()}
            for name, place in places.items()
        }
        _, column_id = next(iter(places.values()))
        found.append((Contest(values, columns[column_id].higher_is_better), places))
    return found


def refuse_unlike(view: View, records: Mapping[str, Record]) -> None:
    """RecordError if two records of one column differ in anything that ``LIKENESS`` names."""
    for column in view.columns:
        keys = [key for row in view.rows for key in _cell(row, column).records]
        found = [records[key] for key in keys if key in records]
        for name in LIKENESS:
            stated = {str(_stated(name, record, records)): record for record in found}
            if len(stated) > 1:
                (one, first), (other, second) = list(stated.items())[:2]
                raise RecordError(
                    f"{view.name}: unlike numbers in column {column.title}: {name} is {one} in "
                    f"{first.label}-{first.key} but {other} in {second.label}-{second.key}; "
                    "run both alike or give them columns of their own"
                )


def _cell(row: Row, column: Column) -> ViewCell:
    return row.cells.get(column.id) or ViewCell(records=[], published=None)


def _stated(name: str, record: Record, records: Mapping[str, Record]) -> object:
    """What the record says of ``name``, or else the nearest of its inputs (breadth first)."""
    if name == "--precision":
        return record.provenance.precision
    queue, seen = [record], {record.key}
    for current in queue:
        for source in (current.metrics, current.recipe):
            if name in source:
                return source[name]
        for key in current.inputs.values():
            if key in records and key not in seen:
                seen.add(key)
                queue.append(records[key])
    return "not stated"


def _measured(
    view: View, row: Row, column: Column, records: Mapping[str, Record]
) -> dict[int, tuple[str, float]]:
    """seed -> (record key, value); a record that serves several seeds counts once."""
    cell = _cell(row, column)
    metric = cell.metric or column.metric
    measured: dict[int, tuple[str, float]] = {}
    keys: set[str] = set()
    for seed, key in zip(view.seeds, cell.records, strict=False):
        record = records.get(key)
        if record is None or key in keys:
            continue
        value = record.metrics.get(metric)
        if not isinstance(value, float | int):
            raise RecordError(
                f"{view.name}: record {record.label}-{key} has no number {metric!r}; "
                f"it has {', '.join(sorted(record.metrics)) or 'none'}"
            )
        keys.add(key)
        measured[seed] = key, value * column.factor
    return measured


def _line(
    view: View,
    row: Row,
    column: Column,
    measured: Mapping[int, tuple[str, float]],
    mark: str,
    p_value: float | None,
) -> dict[str, Any]:
    cell = _cell(row, column)
    values = [value for _, value in measured.values()]
    summary = seed_statistics.summarise(values) if values else None
    difference = None
    if summary and cell.published is not None and view.on_published_data:
        difference = summary.mean - cell.published
    return {
        "row": row.id,
        "column": column.id,
        **row.labels,
        "metric": cell.metric or column.metric,
        "mean": summary.mean if summary else None,
        "sd": summary.sd if summary else None,
        "n": summary.n if summary else 0,
        "planned": len(set(cell.records) - {""}),
        "ci_low": summary.low if summary else None,
        "ci_high": summary.high if summary else None,
        "published": cell.published,
        "difference": difference,
        "reimplemented": cell.reimplemented,
        "footnote": cell.footnote,
        "claim": cell.claim,
        "mark": mark,
        "p_value": p_value,
        "seeds": tuple(measured),
        "values": tuple(values),
        "records": tuple(key for key, _ in measured.values()),
    }
