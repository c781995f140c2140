"""3x3 convolutions of small maps with many channels, in four ninths of the multiplications.

Minimal filtering F(2x2, 3x3) of Winograd, as Lavin & Gray use it ("Fast Algorithms for
Convolutional Neural Networks", CVPR 2016): tiles of 4x4 values and the kernels are transformed,
multiplied point by point, and transformed back to 2x2 values. On a CPU direct convolutions are
slowest in the late stages of a full ResNet, 4x4 and 8x8 maps; this takes about 0.5 and 0.8 of their
time there and rounds less. Kernels are those of a frozen network: transformed once, and the same
ones, turned round, give the gradient.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = 256  # at least, in and out: with fewer the direct convolution is faster
LARGEST = 8  # side of the maps: above it moving tiles costs more than it saves
TILES = 64  # at least: with fewer, reading the transformed kernels decides
AT_ONCE = 2**21  # transformed values, 8 MB: more leave the cache

_KERNEL = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_TILE = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_BACK = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
_KERNEL_2D, _TILE_2D, _BACK_2D = (torch.kron(m, m) for m in (_KERNEL, _TILE, _BACK))
# Kernels turned by 180 degrees: the first and last of four values change places, both ways.
_PLACES = torch.arange(16).view(4, 4)[[3, 1, 2, 0]][:, [3, 1, 2, 0]].flatten()
_TILE_TURNED, _BACK_TURNED = _TILE_2D[_PLACES], _BACK_2D[:, _PLACES]


class WinogradConvolutions:
    """The convolutions of a frozen network that are worth it, and their transformed kernels.

    They take 16/9 of the kernels' memory, from the first use on, and are made again when a kernel
    has changed.
    """

    def __init__(self, network: nn.Module) -> None:
        self._convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and _fits(m)]
        self._made: dict[nn.Conv2d, tuple[tuple[int, int], Tensor]] = {}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Until the end of the block, for maps in float32 on a CPU."""
        replaced = [c for c in self._convolutions if "forward" not in c.__dict__]
        try:
            for convolution in replaced:
                convolution.forward = partial(self._forward, convolution)  # type: ignore[method-assign]
            yield
        finally:
            for convolution in replaced:
                convolution.__dict__.pop("forward", None)

    def _forward(self, convolution: nn.Conv2d, maps: Tensor) -> Tensor:
        if not _pays(maps) or convolution.weight.requires_grad:
            return nn.Conv2d.forward(convolution, maps)
        out: Tensor = _Winograd.apply(maps, self._kernels(convolution))
        return out if convolution.bias is None else out + convolution.bias.view(1, -1, 1, 1)

    def _kernels(self, convolution: nn.Conv2d) -> Tensor:
        weight = convolution.weight
        version = weight.data_ptr(), weight._version
        known = self._made.get(convolution)
        if known is None or known[0] != version:
            known = self._made[convolution] = version, transformed(weight)
        return known[1]


def transformed(weight: Tensor) -> Tensor:
    """Kernels (O, C, 3, 3) as (16, C, O)."""
    outputs, inputs = weight.shape[:2]
    values = weight.detach().permute(2, 3, 1, 0).reshape(9, -1)
    return (_KERNEL_2D @ values).view(16, inputs, outputs)


def convolve(maps: Tensor, kernels: Tensor, *, turned: bool = False) -> Tensor:
    """Maps (N, C, H, W), H and W even, padded by one zero, with `transformed` kernels (16, C, O).

    ``turned``: as if these had been turned by 180 degrees before they were transformed.
    """
    count, channels, height, width = maps.shape
    out = maps.new_empty(count, height, width, kernels.shape[2])
    some = max(1, AT_ONCE // (4 * channels * height * width))
    for begin in range(0, count, some):
        out[begin : begin + some] = _convolve(maps[begin : begin + some], kernels, turned)
    return out.permute(0, 3, 1, 2)


def _convolve(maps: Tensor, kernels: Tensor, turned: bool) -> Tensor:
    """Maps (N, C, H, W) to (N, H, W, O)."""
    count, channels, height, width = maps.shape
    rows, columns = height // 2, width // 2
    padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).contiguous()
    of_image, of_row, of_column, _ = padded.stride()
    tiles = padded.as_strided(
        (4, 4, count, rows, columns, channels),
        (of_row, of_column, of_image, 2 * of_row, 2 * of_column, 1),
    )
    tile, back = (_TILE_TURNED, _BACK_TURNED) if turned else (_TILE_2D, _BACK_2D)
    values = (tile @ tiles.reshape(16, -1)).view(16, -1, channels)
    products = torch.bmm(values, kernels)
    out = (back @ products.view(16, -1)).view(2, 2, count, rows, columns, -1)
    return out.permute(2, 3, 0, 4, 1, 5).reshape(count, height, width, -1)


class _Winograd(torch.autograd.Function):
    """Maps (N, C, H, W) and frozen kernels (16, C, O) to maps (N, O, H, W)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernels: Tensor) -> Tensor:
        ctx.save_for_backward(kernels)
        return convolve(maps, kernels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (kernels,) = ctx.saved_tensors
        return convolve(gradients[0], kernels.transpose(1, 2), turned=True), None


def _fits(module: nn.Conv2d) -> bool:
    """A plain 3x3 convolution between enough channels that keeps the maps' size."""
    return (
        type(module).forward is nn.Conv2d.forward
        and module.kernel_size == (3, 3)
        and module.stride == module.padding == module.dilation == (1, 1)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and min(module.in_channels, module.out_channels) >= CHANNELS
    )


def _pays(maps: Tensor) -> bool:
    height, width = maps.shape[-2:]
    small = height <= LARGEST and width <= LARGEST and height % 2 == 0 and width % 2 == 0
    plain = maps.device.type == "cpu" and maps.dtype == torch.float32
    enough = maps.shape[0] * height * width >= 4 * TILES
    return small and plain and enough and not torch.is_autocast_enabled("cpu")
