"""How long the device took for the images that a student learned from, from records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reports.image_metrics import batches_read
from reports.records import Record

TEACHER = "teacher"  # an input's role; it is given


@dataclass
class ImageSeconds:
    """``seconds`` of the device, None where a record is missing, and the records they are of.

    No records: the student learned from no synthetic images.
    """

    makers: dict[str, Record] = field(default_factory=dict)
    seconds: float | None = 0.0


def image_seconds(student: Record, records: Mapping[str, Record]) -> ImageSeconds:
    """The seconds of the batches that made its images, and of what was made for their sake only:
    the students that ADI's images compete with.

    A cell that made more batches than were read counts by their share, because batches that share
    nothing take alike. One that trains something for all of them counts whole: a generator, with or
    without a student.
    """
    found = ImageSeconds()
    shares: dict[str, float] = {}
    for key, share in _shares(student, records):
        if key not in records:
            found.seconds = None
            return found
        found.makers[key] = records[key]
        shares[key] = max(share, shares.get(key, 0.0))
    found.seconds = sum(share * records[key].cost.seconds for key, share in shares.items())
    return found


def _shares(student: Record, records: Mapping[str, Record]) -> Iterator[tuple[str, float]]:
    """The cells behind its images, and which share of each was read; a cell may come twice."""
    waiting, seen = [student], {student.key}
    while waiting:
        reader = waiting.pop()
        for role, key in reader.inputs.items():
            if role == TEACHER:
                continue
            made = records.get(key)
            yield key, 1.0 if made is None else _share(reader, role, made)
            if made is not None and key not in seen:
                seen.add(key)
                waiting.append(made)


def _share(reader: Record, role: str, made: Record) -> float:
    read, batches = batches_read(reader, role), made.recipe.get("batches")
    if read is None or not isinstance(batches, int):
        return 1.0  # a student, or all images of a method that trained one with them
    if made.recipe.get("student") or made.metrics.get("prepare_steps"):
        return 1.0
    return read / batches
