"""Bilinear resizing of uint8 images, antialiased when they shrink."""

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from benchmarks.datasets.dataset import ImageSet

_CHUNK = 4096


def resize(images: Tensor, size: int | None) -> Tensor:
    """Square images (N, 3, H, H) uint8 at ``size`` pixels a side; None keeps them as they are."""
    if size is None or images.shape[-1] == size:
        return images
    out = torch.empty((len(images), images.shape[1], size, size), dtype=torch.uint8)
    for start in range(0, len(images), _CHUNK):  # in parts: the work happens in wider numbers
        part = slice(start, start + _CHUNK)
        out[part] = functional.resize(images[part], [size, size], antialias=True)
    return out


def resize_set(images: ImageSet, size: int | None) -> ImageSet:
    """`resize` for a split."""
    return ImageSet(resize(images.images, size), images.labels)
