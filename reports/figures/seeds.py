"""The values of one metric over the seeds that were run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.figures.spec import Level, LineSeries, Values
from reports.records import Record, RecordError


def values_of(
    where: str,
    item: LineSeries | Level | Values,
    keys: Sequence[str],
    records: Mapping[str, Record],
) -> list[float]:
    """The item's metric times its factor, of those of ``keys`` that have a record.

    A record that serves several seeds counts once. RecordError, which begins with ``where``, if one
    has no such number.
    """
    values: list[float] = []
    for record in (records[key] for key in dict.fromkeys(keys) if key in records):
        value = record.metrics.get(item.metric)
        if not isinstance(value, float | int):
            raise RecordError(
                f"{where}: record {record.label}-{record.key} has no number "
                f"{item.metric!r}; it has {', '.join(sorted(record.metrics)) or 'none'}"
            )
        values.append(value * item.factor)
    return values
