"""A table in long form: each measured number beside the published one, which joins it here.

``measured_frame`` is the table; everything else only prints or draws it. A cell whose record is
missing was not run: it has no mean, never a zero. Numbers measured in unlike ways never share a
column.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports.image_metrics import of_images
from reports.published import find_published
from reports.records import Record, RecordError, lineage
from reports.seed_statistics import Ranking, rank, summarise
from reports.tables.computed_with import computed_with
from reports.tables.layout import Column, Row, Table

#: What must be equal down a column: stated by the record (metrics, then recipe) or by its inputs,
#: and in which numbers it was computed.
MUST_MATCH = (
    "synthetic_images",
    "evaluated",
    "pixels",
    "reference",
    "extractor",
    "--precision",
    "data_fingerprint",
)
NOT_STATED = "not stated"
#: What is like any other value: images that were pixels have no mapping to be compared by, and
#: older records don't say which images of their data set there were. A classifier that came ready
#: is tested in fp32 whatever the run's precision was.
LIKE_ANY = {"pixels": "own", "data_fingerprint": NOT_STATED, "--precision": NOT_STATED}
#: What must be equal only where these are: rows of several data sets share a column.
WITHIN = {"data_fingerprint": ("dataset", "image_size")}

#: The label of rows that are numbers of images.
COUNTED = "Images"

Line = Mapping[str, Any]
Place = tuple[str, str]  # row, column
Measured = Mapping[int, tuple[str, float]]  # seed -> record key, value


def measured_frame(table: Table, records: Mapping[str, Record]) -> pd.DataFrame:
    """Long form, a line per cell, values in the column's unit (so 93.72 for 93.72 %).

    Columns: row, column, one per label, metric, mean, sd, n, planned, ci_low, ci_high, published,
    difference (only if measured on the published data set), reimplemented, footnote, claim, mark,
    p_value (of the first two of a ranking, Benjamini-Hochberg), the tuples seeds, values, records,
    and those of `computed_with`.
    RecordError if unlike numbers meet in a column.
    """
    check_comparable(table, records)
    places = {(row.id, column.id): (row, column) for row in table.rows for column in table.columns}
    measured = {place: _measured(table, *at, records) for place, at in places.items()}
    ranked = _ranked(table, measured)
    return pd.DataFrame(
        _line(table, *at, measured[place], *ranked.get(place, ("", None)))
        | computed_with([key for key, _ in measured[place].values()], records)
        for place, at in places.items()
    )


def lines_of(frame: pd.DataFrame) -> list[Line]:
    """The lines of a long form, in order."""
    return [{str(name): value for name, value in line.items()} for line in frame.to_dict("records")]


def values_by_seed(line: Line) -> dict[int, float]:
    """The values of a line, by their seeds."""
    return dict(zip(line["seeds"], line["values"], strict=True))


def check_comparable(table: Table, records: Mapping[str, Record]) -> None:
    """RecordError if two records of one column differ in anything that ``MUST_MATCH`` names."""
    for column in table.columns:
        keys = [key for row in table.rows for key in table.cell(row, column).records]
        found = [records[key] for key in keys if key in records]
        for name in MUST_MATCH:
            if name == "synthetic_images" and all(COUNTED in row.labels for row in table.rows):
                continue  # each row says of how many its numbers are
            groups: dict[tuple[object, ...], dict[str, Record]] = {}
            for record in found:
                group = tuple(stated_by(part, record, records) for part in WITHIN.get(name, ()))
                groups.setdefault(group, {})[str(stated_by(name, record, records))] = record
            for stated in groups.values():
                _check_alike(f"{table.name}: unlike numbers in column {column.title}", name, stated)


def _check_alike(where: str, name: str, stated: dict[str, Record]) -> None:
    """RecordError if there are two values of ``name``; one that is like any doesn't count."""
    values = [value for value in stated if value != LIKE_ANY.get(name)]
    if len(values) > 1:
        one, other = values[:2]
        first, second = stated[one], stated[other]
        raise RecordError(
            f"{where}: {name} is {one} in {first.label}-{first.key} but {other} in "
            f"{second.label}-{second.key}; run both alike or give them columns of their own"
        )


def stated_by(name: str, record: Record, records: Mapping[str, Record]) -> object:
    """What the record says of ``name``, or else the nearest of those that it was made from.

    Of the number of images only the record itself: images that compete with a student are made from
    one that has a number of its own.
    """
    if name == "--precision":
        return NOT_STATED if record.kind == "pretrained" else record.provenance.precision
    own = [record]
    made_from = lineage([record.key], {**records, record.key: record})
    for found in own if name == "synthetic_images" else made_from:
        for source in (found.metrics, found.recipe):
            if name in source:
                return source[name]
    return NOT_STATED


def _measured(table: Table, row: Row, column: Column, records: Mapping[str, Record]) -> Measured:
    """seed -> (record key, value); a record that serves several seeds counts once."""
    cell = table.cell(row, column)
    metric = cell.metric or column.metric
    measured: dict[int, tuple[str, float]] = {}
    keys: set[str] = set()
    for seed, key in zip(table.seeds, cell.records, strict=False):
        record = records.get(key)
        if record is None or key in keys:
            continue
        value = (
            of_images(record, metric, records) if column.of_images else record.metrics.get(metric)
        )
        if not isinstance(value, float | int):
            raise RecordError(
                f"{table.name}: record {record.label}-{key} has no number {metric!r}; "
                f"it has {', '.join(sorted(record.metrics)) or 'none'}"
            )
        keys.add(key)
        measured[seed] = key, value * column.factor
    return measured


def _ranked(
    table: Table, measured: Mapping[Place, Measured]
) -> dict[Place, tuple[str, float | None]]:
    """Mark and p-value of the places that came first or second where they are ranked."""
    better = {column.id: column.higher_is_better for column in table.columns}
    groups: dict[tuple[str, ...], dict[Place, dict[int, float]]] = {}
    for row in table.rows:
        for column in table.columns:
            place = row.id, column.id
            values = {seed: value for seed, (_, value) in measured[place].items()}
            if (group := table.ranking(row, column)) is not None:
                groups.setdefault(group, {})[place] = values
    results = rank([Ranking(found, better[next(iter(found))[1]]) for found in groups.values()])
    return {
        place: (mark, result.p_values[place])
        for result in results
        for place, mark in result.marks.items()
    }


def _line(
    table: Table, row: Row, column: Column, measured: Measured, mark: str, p_value: float | None
) -> dict[str, Any]:
    cell = table.cell(row, column)
    number = find_published(cell.claim)
    values = tuple(value for _, value in measured.values())
    summary = summarise(values) if values else None
    difference = None
    if summary and number and table.on_published_data:
        difference = summary.mean - number.value
    return {
        "row": row.id,
        "column": column.id,
        **row.labels,
        "metric": cell.metric or column.metric,
        "mean": summary.mean if summary else None,
        "sd": summary.sd if summary else None,
        "n": len(values),
        "planned": len(set(cell.records) - {""}),
        "ci_low": summary.low if summary else None,
        "ci_high": summary.high if summary else None,
        "published": number.value if number else None,
        "difference": difference,
        "reimplemented": bool(number and number.reimplemented),
        "footnote": number.note if number else "",
        "claim": cell.claim if number else "",
        "mark": mark,
        "p_value": p_value,
        "seeds": tuple(measured),
        "values": values,
        "records": tuple(key for key, _ in measured.values()),
    }
