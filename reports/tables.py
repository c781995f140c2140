"""One table of a view in long form: each measured number beside the published one.

``tidy`` is the table; everything else only prints it. A cell whose record is missing was not run:
it has no mean, never a zero. Numbers measured in unlike ways never share a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports import statistics
from reports.records import Record, RecordError
from reports.typeset import to_csv, to_latex, to_markdown
from reports.views import Column, Row, View, ViewCell

__all__ = ["LIKENESS", "refuse_unlike", "tidy", "to_csv", "to_latex", "to_markdown"]

#: What must be equal down a column: stated by the record (metrics, then recipe) or by its inputs.
LIKENESS = ("scale", "images", "protocol", "pixels", "extractor")


def tidy(view: View, records: Mapping[str, Record]) -> pd.DataFrame:
    """Long form, a line per cell, values in the view's unit (so 93.72 for 93.72 %).

    Columns: row, column, one per label, mean, sd, n, planned, ci_low, ci_high, published,
    difference (only if measured on the published data set), reimplemented, protocol, footnote,
    mark, and the tuples seeds, values, records. RecordError if unlike numbers meet in a column.
    """
    refuse_unlike(view, records)
    measured = {
        (row.id, column.id): _measured(view, _cell(row, column), records)
        for row in view.rows
        for column in view.columns
    }
    methods = [column.id for column in view.columns if column.role == "method"]
    marks = statistics.rank_marks(
        [
            {id_: {s: value for s, (_, value) in measured[row.id, id_].items()} for id_ in methods}
            for row in view.rows
        ],
        higher_is_better=view.higher_is_better,
    )
    return pd.DataFrame(
        _line(view, row, column, measured[row.id, column.id], row_marks.get(column.id, ""))
        for row, row_marks in zip(view.rows, marks, strict=True)
        for column in view.columns
    )


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
    view: View, cell: ViewCell, records: Mapping[str, Record]
) -> dict[int, tuple[str, float]]:
    """seed -> (record key, value); a record that serves several seeds counts once."""
    measured: dict[int, tuple[str, float]] = {}
    keys: set[str] = set()
    for seed, key in zip(view.seeds, cell.records, strict=False):
        record = records.get(key)
        if record is None or key in keys:
            continue
        value = record.metrics.get(view.metric)
        if not isinstance(value, float | int):
            raise RecordError(
                f"{view.name}: record {record.label}-{key} has no number {view.metric!r}; "
                f"it has {', '.join(sorted(record.metrics)) or 'none'}"
            )
        keys.add(key)
        measured[seed] = key, value * view.factor
    return measured


def _line(
    view: View, row: Row, column: Column, measured: Mapping[int, tuple[str, float]], mark: str
) -> dict[str, Any]:
    cell = _cell(row, column)
    values = [value for _, value in measured.values()]
    summary = statistics.summarise(values) if values else None
    difference = None
    if summary and cell.published is not None and view.on_published_data:
        difference = summary.mean - cell.published
    return {
        "row": row.id,
        "column": column.id,
        **row.labels,
        "mean": summary.mean if summary else None,
        "sd": summary.sd if summary else None,
        "n": summary.n if summary else 0,
        "planned": len(set(cell.records) - {""}),
        "ci_low": summary.low if summary else None,
        "ci_high": summary.high if summary else None,
        "published": cell.published,
        "difference": difference,
        "reimplemented": cell.reimplemented,
        "protocol": column.protocol,
        "footnote": cell.footnote,
        "mark": mark,
        "seeds": tuple(measured),
        "values": tuple(values),
        "records": tuple(key for key, _ in measured.values()),
    }
