"""What can be said of synthetic images without any real one."""

from typing import get_args

import torch

from naturalinversion.agreement import count_agreeing
from naturalinversion.images import PixelMapping, SyntheticDataset, to_pixels
from naturalinversion.teacher.teacher import Teacher


def teacher_agreement(teacher: Teacher, dataset: SyntheticDataset) -> dict[str, float]:
    """How often the teacher gives the asked label: for the stored images, and for their pixels.

    Pixels are rounded to uint8, denormalised and clamped or, ``…_minmax``, stretched image by
    image: the difference is what that costs.
    """
    hits = torch.zeros(3, dtype=torch.int64)
    for images, labels in dataset.shards():
        views = [images.float()]
        for mapping in get_args(PixelMapping):
            pixels = to_pixels(images, mapping, teacher.mean, teacher.std)
            views.append(teacher.normalize(pixels.float() / 255))
        for column, view in enumerate(views):
            hits[column] += count_agreeing(teacher, view, labels)
    names = ("teacher_agreement", "teacher_agreement_pixels", "teacher_agreement_minmax")
    return dict(zip(names, (hits.double() / len(dataset)).tolist(), strict=True))
