"""Metrics of all images behind a number, where a set of images was made in several cells."""

from __future__ import annotations

from collections.abc import Mapping

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
    found = [
        (cell.metrics["images"], cell.metrics.get(metric)) for cell in image_cells(record, records)
    ]
    numbers = [
        (float(images), float(value))
        for images, value in found
        if isinstance(images, int | float) and isinstance(value, int | float)
    ]
    if not numbers or len(numbers) < len(found):
        return None
    return sum(images * value for images, value in numbers) / sum(images for images, _ in numbers)
