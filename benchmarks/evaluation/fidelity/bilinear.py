"""Bilinear resizing of images that no gradient goes back through."""

import torch
from torch import Tensor


def bilinear(images: Tensor, size: int) -> Tensor:
    """Images (N, C, H, W) float to (N, C, size, size): half-pixel centres, no antialiasing.

    By the operator that `torch.nn.functional.interpolate` calls. Where deterministic algorithms are
    asked for, that function takes it apart on a GPU, four gathers and dozens of passes over the
    images, because its gradient sums in no order. The operator itself is deterministic.
    """
    resized: Tensor = torch.ops.aten.upsample_bilinear2d(images, [size, size], False)
    return resized
