"""What a method cost in a row of a table: its images, and the network trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reports.machine import device_class, machines_of
from reports.records import Record
from reports.seed_statistics import Summary, summarise

AGREEMENT = "teacher_agreement"  # a metric of cells that make images


@dataclass
class SeedCost:
    """One seed: the cells that made its images, by key, and the networks trained on them.

    ``complete`` is false when the record of one of the cells is missing: their cost is not known.
    """

    makers: dict[str, Record] = field(default_factory=dict)
    students: dict[str, Record] = field(default_factory=dict)
    complete: bool = True

    @property
    def images(self) -> int:
        """How many images the cells made."""
        return sum(record.cost.images for record in self.makers.values())

    @property
    def seconds(self) -> float:
        """Of the device, for the images."""
        return sum(record.cost.seconds for record in self.makers.values())

    @property
    def agreement(self) -> float | None:
        """Of which share of the images the teacher gives the label; None where no record says."""
        found = [
            (record.cost.images, float(share))
            for record in self.makers.values()
            if isinstance(share := record.metrics.get(AGREEMENT), int | float)
        ]
        images = sum(count for count, _ in found)
        return sum(count * share for count, share in found) / images if images else None

    @property
    def machine(self) -> str:
        """Where the images were made and the student was trained."""
        trained = machines_of(filter(_was_trained, self.students.values()))
        made = machines_of(self.makers.values())
        if made and trained and made != trained:
            return f"images: {made}; student: {trained}"
        return made or trained


@dataclass(frozen=True)
class MethodCost:
    """One method in a row of a table, on one machine, over the seeds that ran there.

    ``rows`` are the ids of the row and of those that measure the same cells, ``labels`` theirs.
    ``in_labels`` says that the labels name the method.
    """

    rows: Sequence[str]
    labels: Mapping[str, str]
    method: str
    in_labels: bool
    machine: str
    seeds: Sequence[SeedCost]

    @property
    def records(self) -> list[Record]:
        """All cells whose cost this is, each once."""
        found: dict[str, Record] = {}
        for seed in self.seeds:
            found |= seed.makers | seed.students
        return list(found.values())

    @property
    def on_gpu(self) -> bool:
        """Whether all of it ran on GPUs."""
        devices = {device_class(record.provenance.device) for record in self.records}
        return bool(devices) and "cpu" not in devices

    @property
    def known(self) -> list[SeedCost]:
        """The seeds of which every cell that made the images has its record."""
        return [seed for seed in self.seeds if seed.complete]

    @cached_property
    def images(self) -> Summary | None:
        """How many images were made."""
        return _summary([seed.images for seed in self.known])

    @cached_property
    def seconds(self) -> Summary | None:
        """Seconds of the device for the images."""
        return _summary([seed.seconds for seed in self.known])

    @cached_property
    def images_per_second(self) -> Summary | None:
        """Images a second of the device."""
        return _summary([seed.images / seed.seconds for seed in self.known if seed.seconds])

    @cached_property
    def agreement(self) -> Summary | None:
        """Percent of the images to which the teacher gives the label they are stored with."""
        return _summary([100 * s.agreement for s in self.known if s.agreement is not None])

    @cached_property
    def peak_mb(self) -> float | None:
        """The most memory that a cell held while it made images, in 1e6 bytes."""
        return _peak([record for seed in self.known for record in seed.makers.values()])

    @property
    def has_settings(self) -> bool:
        """Whether its images come of settings; a control such as noise has none."""
        makers = [record for seed in self.seeds for record in seed.makers.values()]
        return any(record.recipe.get("settings") != {} for record in makers)

    @property
    def of_real_images(self) -> bool:
        """Whether no images were made: its networks learned from real ones."""
        return not any(seed.makers or not seed.complete for seed in self.seeds)

    @property
    def competes(self) -> bool:
        """Whether students were trained for the images to compete with."""
        return any(not r.cost.images for seed in self.seeds for r in seed.makers.values())

    @cached_property
    def with_images(self) -> bool:
        """Whether the student was trained with the generator: its cost is that of the images."""
        students = self._students
        return bool(students) and not any(map(_was_trained, students))

    @cached_property
    def student_seconds(self) -> Summary | None:
        """Seconds of the device for the network trained on the images; None if `with_images`."""
        if self.with_images:
            return None
        found = [[r.cost.seconds for r in seed.students.values()] for seed in self.seeds]
        return _summary([sum(seconds) for seconds in found if seconds])

    @cached_property
    def student_peak_mb(self) -> float | None:
        """The most memory that its training held, in 1e6 bytes; None if `with_images`."""
        return None if self.with_images else _peak(self._students)

    @property
    def _students(self) -> list[Record]:
        return [record for seed in self.seeds for record in seed.students.values()]


def _was_trained(student: Record) -> bool:
    """In a cell of its own; one trained with its generator is only tested there."""
    return student.kind != "joint_student"


def _summary(values: Sequence[float]) -> Summary | None:
    return summarise(values) if values else None


def _peak(records: Sequence[Record]) -> float | None:
    return max((record.cost.peak_memory_mb for record in records), default=None)
