"""Nearest upsampling in the maps' own type, which autocast would convert to float32."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


def upsample_nearest(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (N, C, h, w) to (N, C, H, W) of ``size`` (H, W), each pixel repeated."""
    with torch.autocast(maps.device.type, enabled=False):
        return interpolate(maps, size=size)


class Upsample2x(nn.Module):
    """Maps (N, C, H, W) to (N, C, 2H, 2W)."""

    def forward(self, maps: Tensor) -> Tensor:
        return upsample_nearest(maps, (2 * maps.shape[-2], 2 * maps.shape[-1]))
