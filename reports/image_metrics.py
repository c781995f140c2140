"""Metrics of all images behind a number, where a set of images was made in several cells."""

from __future__ import annotations

from collections.abc import Mapping

from reports.records import Record, RecordError, lineage


def image_cells(record: Record, records: Mapping[str, Record]) -> list[Record]:
    """The records of the images that ``record`` was made from; RecordError if one is missing."""
    found = lineage([record.key], {**records, record.key: record})
    for one in found:
        if gone := set(one.inputs.values()) - records.keys():
            raise RecordError(
                f"{record.label}-{record.key} was made from {min(gone)}, which has no record"
            )
    return [one for one in found if one.kind == "synthesis"]


def of_images(record: Record, metric: str, records: Mapping[str, Record]) -> float | None:
    """The mean of a metric over these images; each cell counts by how many of it were read.

    Of a cell that was read in part the metric is still that of all its images; and ``final_*``, the
    loss terms at the end, are of the first batch of each cell. None where there are no images, or
    one of the cells has no such number.
    """
    cells = image_cells(record, records)
    found = [(_images_read(record, cell), cell.metrics.get(metric)) for cell in cells]
    numbers = [
        (float(images), float(value))
        for images, value in found
        if isinstance(images, int | float) and isinstance(value, int | float)
    ]
    count = sum(images for images, _ in numbers)
    if not count or len(numbers) < len(found):
        return None
    return sum(images * value for images, value in numbers) / count


def batches_read(reader: Record, role: str) -> int | None:
    """How many batches of its input ``role`` it read; None where its recipe doesn't say."""
    read, index = reader.recipe.get("images"), role.removeprefix("images")
    if not (isinstance(read, Mapping) and index.isdecimal()):
        return None
    return int(read["batches"][int(index)])


def _images_read(reader: Record, made: Record) -> object:
    """Of its own inputs what it read; of what those were made from, all."""
    images, size = made.metrics["images"], made.recipe.get("batch_size")
    batches = [batches_read(reader, role) for role, key in reader.inputs.items() if key == made.key]
    if not batches or batches[0] is None or not isinstance(size, int):
        return images
    return min(batches[0] * size, int(images))  # type: ignore[arg-type]
