"""Why a measured number can't be compared with the published one, from its records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reports.claims.matching import Match
from reports.published import Published
from reports.records import Record

WIDTH, IMAGE_SIZE, BUDGET = 1.0, 32, "paper"
TRAIN_IMAGES = 50_000  # of CIFAR-10 and of CIFAR-100
INCEPTION = "inception-v3-compat"
THROUGH_EXTRACTOR = ("inception_score", "fid", "fid_early", "precision", "recall")


def differences(number: Published, match: Match, records: Mapping[str, Record]) -> list[str]:
    """Every difference that matters between how the two were made; empty if there is none."""
    measured = [records[key] for key in match.records]
    made_of = [found for record in measured for found in _closure(record, records)]
    return list(_of_data(number, match)) + list(
        dict.fromkeys(
            [
                *_of_networks(made_of),
                *_of_images(number, measured, records),
                *_of_extractor(number, measured),
            ]
        )
    )


def _of_data(number: Published, match: Match) -> Iterator[str]:
    if not number.dataset:
        yield "the paper names neither the method it is compared with nor the data set"
    elif match.dataset != number.dataset:
        yield f"{match.dataset}, not {number.dataset}"
    if match.scale != BUDGET:
        yield f"the shorter trainings of scale {match.scale}"
    for text in match.overrides:
        yield f"{text} set by hand"


def _of_networks(made_of: list[Record]) -> Iterator[str]:
    for record in made_of:
        width = record.recipe.get("width") or WIDTH
        size = record.recipe.get("image_size") or IMAGE_SIZE
        if width != WIDTH:
            yield f"networks of width {width:g}"
        if size != IMAGE_SIZE:
            yield f"images of {size}x{size} pixels"
        train = record.metrics.get("train_images", TRAIN_IMAGES)
        if train != TRAIN_IMAGES and str(record.recipe.get("dataset")).startswith("cifar"):
            yield f"teachers of {train:,} real images, not {TRAIN_IMAGES:,}"


def _of_images(
    number: Published, measured: list[Record], records: Mapping[str, Record]
) -> Iterator[str]:
    if number.images is None:
        return
    for record in measured:
        found = _images(record, records)
        if found is None:
            yield "the number of synthetic images is not in the records"
        elif found != number.images:
            yield f"{found:,} synthetic images, not {number.images:,}"


def _of_extractor(number: Published, measured: list[Record]) -> Iterator[str]:
    if number.metric not in THROUGH_EXTRACTOR:
        return
    for record in measured:
        extractor = str(record.metrics.get("extractor", "an extractor that is not recorded"))
        if not extractor.startswith(INCEPTION):
            yield f"{extractor.partition('@')[0]}, not Inception"


def _images(record: Record, records: Mapping[str, Record]) -> int | None:
    """How many synthetic images a number was made with, itself or in what it reads."""
    for found in _closure(record, records):
        for name in ("synthetic_images", "evaluated"):
            if isinstance(count := found.metrics.get(name), int):
                return count
    counts = [
        records[key].metrics.get("images")
        for role, key in record.inputs.items()
        if role.startswith("images") and key in records
    ]
    whole = [count for count in counts if isinstance(count, int)]
    return sum(whole) if whole and len(whole) == len(counts) else None


def _closure(record: Record, records: Mapping[str, Record]) -> list[Record]:
    """The record and all it was made of, as far as they are there, nearest first."""
    found = {record.key: record}
    for current in (queue := [record]):
        for key in current.inputs.values():
            if key in records and key not in found:
                found[key] = records[key]
                queue.append(records[key])
    return list(found.values())
