"""The synthetic images that an evaluation cell reads from its inputs ``images0``, ``images1``, …

A cell that reads several sets gives each a role of its own in place of ``images``.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.engine.context import Work
from benchmarks.recipes.schema import StudentPixels
from benchmarks.synthesis.generate_images import folder_of_images
from benchmarks.training.device_dataset import DeviceDataset
from naturalinversion.errors import BenchmarkError
from naturalinversion.images import Meta, PixelMapping, SyntheticDataset, joined, read_meta

ROLE = "images"


def synthetic_source(
    work: Work,
    batches: Sequence[int],
    images: int = 0,
    role: str = ROLE,
    pixels: StudentPixels = "stored",
) -> DeviceDataset:
    """The first ``batches[i]`` batches of every input ``<role>i``, as the teacher saw them.

    With a mapping to ``pixels`` as they would be read from files. ``images`` keeps the first so
    many of them all, 0 every one. Raises `BenchmarkError` when there are fewer than asked for.
    """
    sets = _sets(work, batches, role)
    meta = sets[0].meta
    count = _count(work, sum(map(len, sets)), images, role)
    made, labels = joined(sets, None if pixels == "stored" else pixels, count)
    return DeviceDataset(made, labels, torch.tensor(meta.mean), torch.tensor(meta.std))


def synthetic_pixels(
    work: Work, batches: Sequence[int], images: int, mapping: PixelMapping, role: str = ROLE
) -> Tensor:
    """The same images as uint8 (N, 3, H, W)."""
    sets = _sets(work, batches, role)
    count = _count(work, sum(map(len, sets)), images, role)
    return joined(sets, mapping, count)[0]


def synthetic_meta(work: Work, role: str = ROLE) -> Meta:
    """What the store says about the first input's images: classes, normalisation, method."""
    return read_meta(folder_of_images(work.inputs[f"{role}0"]))


def _sets(work: Work, batches: Sequence[int], role: str) -> list[SyntheticDataset]:
    return [
        SyntheticDataset(folder_of_images(work.inputs[f"{role}{index}"]), count)
        for index, count in enumerate(batches)
    ]


def _count(work: Work, found: int, wanted: int, role: str) -> int:
    if wanted > found:
        which = "" if role == ROLE else f" in {role.rstrip('-')}"
        raise BenchmarkError(
            f"{work.title}: {wanted} images are asked for, there are {found}{which}"
        )
    return wanted or found
