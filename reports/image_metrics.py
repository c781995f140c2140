"""Metrics of all images behind a number, where a set of images was made in several cells."""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul

from reports.records import Record, RecordError, kind_of, lineage


def image_cells(record: Record, records: Mapping[str, Record]) -> list[Record]:
    """The records of the images that ``record`` was made from; RecordError if one is missing."""
    found = lineage([record.key], {**records, record.key: record})
    for one in found:
        if gone := set(one.inputs.values()) - records.keys():
            raise RecordError(
                f"{record.label}-{record.key} was made from {min(gone)}, which has no record"
            )
    return [one for one in found if kind_of(one) == "synthesis"]


def of_images(record: Record, metric: str, records: Mapping[str, Record]) -> float | None:
    """The mean of a metric over these images; each cell counts by their number.

    None where there are none, or one of the cells has no such number.
    """
    cells = image_cells(record, records)
    values = [cell.metrics.get(metric) for cell in cells]
    images = [cell.metrics["images"] for cell in cells]
    numbers = [[n for n in some if isinstance(n, int | float)] for some in (values, images)]
    if not cells or len(numbers[0]) < len(cells) or len(numbers[1]) < len(cells):
        return None
    return sum(map(mul, *numbers)) / sum(numbers[1])
