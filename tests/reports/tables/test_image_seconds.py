"""The device's seconds for a student's images: shares of batches, and whole trainings."""

from collections.abc import Mapping
from typing import Any

import pytest

from reports.records import Cost, Record
from reports.tables.image_seconds import image_seconds
from tests.reports.makers import make_record


def images(key: str, seconds: float, batches: int = 10, **more: Any) -> Record:
    """A cell of images."""
    inputs = more.pop("inputs", {"teacher": "t"})
    metrics = {"images": 100 * batches, "prepare_steps": more.pop("prepare_steps", 0)}
    return make_record(
        key,
        kind="synthesis",
        recipe={"batches": batches, "student": "", **more},
        inputs=inputs,
        metrics=metrics,
        cost=Cost(seconds, seconds, 100 * batches, 1.0),
    )


def student(key: str, *sources: str, batches: list[int], seconds: float = 5.0) -> Record:
    """One that is distilled on so many batches of each."""
    inputs = {"teacher": "t"} | {f"images{i}": source for i, source in enumerate(sources)}
    recipe = {"images": {"batches": batches, "count": 100}}
    return make_record(key, inputs=inputs, recipe=recipe, cost=Cost(seconds, seconds, 0, 1.0))


def seconds_of(key: str, *records: Record) -> float | None:
    found: Mapping[str, Record] = {record.key: record for record in records}
    return image_seconds(found[key], found).seconds


def test_a_part_of_the_images_costs_the_batches_that_made_them() -> None:
    cells = images("a", 60.0), images("b", 40.0)
    assert seconds_of("s", *cells, student("s", "a", batches=[1])) == pytest.approx(6.0)
    both = student("s", "a", "b", batches=[10, 5])
    assert seconds_of("s", *cells, both) == pytest.approx(80.0)


def test_training_for_all_batches_counts_whole() -> None:
    shared = images("a", 60.0, prepare_steps=200)
    assert seconds_of("s", shared, student("s", "a", batches=[1])) == 60.0
    joint = images("a", 60.0, student="resnet18")
    assert seconds_of("s", joint, make_record("s", inputs={"images": "a"}, recipe={})) == 60.0


@pytest.mark.parametrize(("by_rival", "by_last"), [(6, 2), (2, 6)])
def test_students_that_images_compete_with_count_with_what_they_read(
    by_rival: int, by_last: int
) -> None:
    """The start is read by both; it costs what the one that read more of it read."""
    start = images("start", 100.0)
    rival = student("rival", "start", batches=[by_rival], seconds=7.0)
    made = images("round", 30.0, 3, inputs={"teacher": "t", "student": "rival"})
    last = student("s", "start", "round", batches=[by_last, 1])
    assert seconds_of("s", start, rival, made, last) == pytest.approx(60.0 + 7.0 + 10.0)


def test_without_images_nothing_was_spent_and_without_a_record_nothing_is_known() -> None:
    real = student("s", batches=[])
    found = image_seconds(real, {"s": real})
    assert (found.seconds, found.makers) == (0.0, {})
    assert seconds_of("s", student("s", "gone", batches=[1])) is None
