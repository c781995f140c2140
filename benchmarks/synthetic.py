"""The synthetic images that an evaluation cell reads from its inputs ``images0``, ``images1``, …"""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.errors import BenchmarkError
from benchmarks.kinds.synthesis import folder_of_images
from benchmarks.training import ImageSource
from benchmarks.work import Work
from naturalinversion.images import PixelMapping, SyntheticDataset


def synthetic_source(work: Work, batches: Sequence[int], images: int = 0) -> ImageSource:
    """The first ``batches[i]`` batches of every input ``i``, in teacher space.

    ``images`` keeps the first so many of them all, 0 every one. Raises `BenchmarkError`
    when there are fewer than asked for.
    """
    sets = _sets(work, batches)
    parts, labels = zip(*(dataset.tensors() for dataset in sets), strict=True)
    meta = sets[0].meta
    count = _count(work, sum(map(len, sets)), images)
    return ImageSource(
        torch.cat(parts)[:count],
        torch.cat(labels)[:count],
        torch.tensor(meta.mean),
        torch.tensor(meta.std),
    )


def synthetic_pixels(
    work: Work, batches: Sequence[int], images: int, mapping: PixelMapping
) -> Tensor:
    """The same images as uint8 (N, 3, H, W)."""
    sets = _sets(work, batches)
    count = _count(work, sum(map(len, sets)), images)
    return torch.cat([dataset.pixels(mapping) for dataset in sets])[:count]


def _sets(work: Work, batches: Sequence[int]) -> list[SyntheticDataset]:
    return [
        SyntheticDataset(folder_of_images(work.inputs[f"images{index}"]), count)
        for index, count in enumerate(batches)
    ]


def _count(work: Work, found: int, wanted: int) -> int:
    if wanted > found:
        raise BenchmarkError(f"{work.title}: {wanted} images are asked for, there are {found}")
    return wanted or found
