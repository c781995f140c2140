"""Why a measured number can't be compared with the published one, from its records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reports.claims.matching import MeasuredClaim
from reports.published import Published
from reports.records import Record, lineage

WIDTH, IMAGE_SIZE, SCALE = 1.0, 32, "paper"
TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000  # of CIFAR-10 and of CIFAR-100
INCEPTIONS = ("inception-v3-compat", "inception-v3-torchvision")
PIXELS = "minmax"  # as the paper's released code saves its images
THROUGH_EXTRACTOR = ("inception_score", "fid", "fid_early", "precision", "recall")


def differences(
    number: Published, measured: MeasuredClaim, records: Mapping[str, Record]
) -> list[str]:
    """Every difference that matters between how the two were made; empty if there is none."""
    own = [records[key] for key in measured.records]
    made_of = [found for record in own for found in lineage([record.key], records)]
    found = [*_of_networks(made_of), *_of_images(number, own, records)]
    found += _of_extractor(number, own, records)
    return [*_of_data(number, measured), *dict.fromkeys(found)]


def _of_data(number: Published, measured: MeasuredClaim) -> Iterator[str]:
    if not number.dataset:
        yield "the paper names neither the method it is compared with nor the data set"
    elif measured.dataset != number.dataset:
        yield f"{measured.dataset}, not {number.dataset}"
    if measured.scale != SCALE:
        yield f"the shorter trainings of scale {measured.scale}"
    for text in measured.overrides:
        yield f"{text} set by hand"


def _of_networks(made_of: list[Record]) -> Iterator[str]:
    for record in made_of:
        width = record.recipe.get("width") or WIDTH
        size = record.recipe.get("image_size") or IMAGE_SIZE
        if width != WIDTH:
            yield f"networks of width {width:g}"
        if size != IMAGE_SIZE:
            yield f"images of {size}x{size} pixels"
        if not str(record.recipe.get("dataset")).startswith("cifar"):
            continue
        train = record.metrics.get("train_images", TRAIN_IMAGES)
        if train != TRAIN_IMAGES:
            yield f"teachers of {train:,} real images, not {TRAIN_IMAGES:,}"
        test = record.metrics.get("test_images", TEST_IMAGES)
        if test != TEST_IMAGES:
            yield f"tested on {test:,} real images, not {TEST_IMAGES:,}"


def _of_images(
    number: Published, own: list[Record], records: Mapping[str, Record]
) -> Iterator[str]:
    if number.images is None:
        return
    for record in own:
        found = _images(record, records)
        if found is None:
            yield "the number of synthetic images is not in the records"
        elif found != number.images:
            yield f"{found:,} synthetic images, not {number.images:,}"


def _of_extractor(
    number: Published, own: list[Record], records: Mapping[str, Record]
) -> Iterator[str]:
    if number.metric not in THROUGH_EXTRACTOR:
        return
    for record in own:
        extractor = str(record.metrics.get("extractor", "an extractor that is not recorded"))
        if not extractor.startswith(INCEPTIONS):
            yield f"{extractor.partition('@')[0]}, not Inception"
        if _are_mapped(record, records) and record.metrics.get("pixels", PIXELS) != PIXELS:
            yield "pixels as the teacher saw, not stretched as the released code saves them"


def _are_mapped(record: Record, records: Mapping[str, Record]) -> bool:
    """Whether the images are tensors of a method, which a mapping makes pixels of."""
    return any(found.kind == "synthesis" for found in lineage([record.key], records))


def _images(record: Record, records: Mapping[str, Record]) -> int | None:
    """How many synthetic images a number was made with, itself or in what it reads."""
    for found in lineage([record.key], records):
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
