"""What can be said of synthetic images without any real one."""

from typing import get_args

import torch
from torch import Tensor

from naturalinversion.images import PixelMapping, SyntheticDataset, to_pixels
from naturalinversion.teacher.teacher import Teacher

FLAT = 0.01  # contrast, in standard deviations of the training images' pixels


def count_flat(images: Tensor) -> int:
    """How many of (N, 3, H, W) have no contrast in any channel: what a saturated tanh leaves."""
    contrast = images.float().amax((2, 3)) - images.float().amin((2, 3))
    return int((contrast.amax(1) < FLAT).sum())


def teacher_agreement(teacher: Teacher, dataset: SyntheticDataset) -> dict[str, float]:
    """How often the teacher gives the asked label: for the stored images, and for their pixels.

    Pixels are rounded to uint8, denormalised and clamped or, ``…_minmax``, stretched image by
    image: the difference is what that costs.
    """
    hits = torch.zeros(3, dtype=torch.int64)
    with torch.no_grad():
        for images, labels in dataset.shards():
            views = [images.float()]
            for mapping in get_args(PixelMapping):
                pixels = to_pixels(images, mapping, teacher.mean, teacher.std)
                views.append(teacher.normalize(pixels.float() / 255))
            for column, view in enumerate(views):
                answers = teacher(view.to(teacher.device, teacher.dtype)).argmax(dim=1).cpu()
                hits[column] += (answers == labels).sum()
    names = ("teacher_agreement", "teacher_agreement_pixels", "teacher_agreement_minmax")
    return dict(zip(names, (hits / len(dataset)).tolist(), strict=True))
