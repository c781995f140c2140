"""Stored images as pixels.

The store holds float16 in teacher space. Metrics and other programs read pixels, and the mapping to
them is part of a method's result: ``denormalize`` undoes the teacher's normalisation and clamps,
``minmax`` stretches every image to 0..255, as the official NaturalInversion code does on saving.
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from naturalinversion.errors import SettingError

PixelMapping = Literal["denormalize", "minmax"]


def check_mapping(mapping: str) -> None:
    """Raises `SettingError` for a name that is none of the mappings."""
    if mapping not in (known := get_args(PixelMapping)):
        raise SettingError(f"unknown pixel mapping '{mapping}': {' or '.join(known)}")


def to_pixels(
    images: Tensor, mapping: PixelMapping, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """Images (N, C, H, W) in teacher space to uint8.

    ``denormalize``: times std plus mean, clamped to [0, 1], rounded. ``minmax``: every image's own
    minimum to 0 and maximum to 255, over all channels; a constant image becomes 0. Raises
    `SettingError` for another mapping.
    """
    check_mapping(mapping)
    images = images.float()
    if mapping == "denormalize":
        shape = (1, -1, 1, 1)
        images = images * images.new_tensor(std).view(shape) + images.new_tensor(mean).view(shape)
    else:
        low, high = (f(images, dim=(1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
        images = (images - low) / (high - low).clamp_min(1e-12)
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)
