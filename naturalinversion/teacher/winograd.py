"""3x3 convolutions of small maps with many channels, in four ninths of the multiplications.

Minimal filtering F(2x2, 3x3) of Winograd, as Lavin & Gray use it ("Fast Algorithms for
Convolutional Neural Networks", CVPR 2016): tiles of 4x4 values and the kernels are transformed,
multiplied point by point, and transformed back to 2x2 values. On a CPU direct convolutions are
slowest in the late stages of a full ResNet, 4x4 and 8x8 maps; this takes about 0.5 and 0.8 of their
time there and rounds less. The kernels of a frozen network are transformed once; rotated by 180
degrees they give the gradient as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion.teacher.derived_tensors import lasting_tensors, tensor_versions
from naturalinversion.teacher.replaced_forward import convolves_as_usual, replaced_forward

MIN_CHANNELS = 256  # in and out: with fewer the direct convolution is faster
MAX_SIDE = 8  # of the maps: above it copying tiles costs more than it saves
MIN_TILES = 64  # with fewer, reading the transformed kernels dominates
CHUNK = 2**21  # transformed values at once: 8 MB stay in the cache

# Of this type on this device, whatever the defaults are when the module is imported.
_matrix = partial(torch.tensor, dtype=torch.float32, device="cpu")
_KERNEL = _matrix([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_TILE = _matrix([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_BACK = _matrix([[1.0, 1, 1, 0], [0, 1, -1, -1]])
_KERNEL_2D, _TILE_2D, _BACK_2D = (torch.kron(m, m) for m in (_KERNEL, _TILE, _BACK))
# Kernels rotated by 180 degrees: the first and last of four values are swapped on both axes.
_SWAP = torch.arange(16, device="cpu").view(4, 4)[[3, 1, 2, 0]][:, [3, 1, 2, 0]].flatten()
_TILE_ROTATED, _BACK_ROTATED = _TILE_2D[_SWAP], _BACK_2D[:, _SWAP]


class WinogradConvolutions:
    """The eligible convolutions of a frozen network, and their transformed kernels.

    These take 16/9 of the kernels' memory from the first use on, and are recomputed when a kernel
    has changed.
    """

    def __init__(self, network: nn.Module) -> None:
        self._convolutions = [
            m for m in network.modules() if isinstance(m, nn.Conv2d) and _is_eligible(m)
        ]
        self.min_tiles = MIN_TILES
        self._kernel_cache: dict[nn.Conv2d, tuple[tuple[tuple[int, int], ...], Tensor]] = {}

    @contextmanager
    def enabled(self) -> Iterator[None]:
        """Use them until the end of the block, for float32 maps on a CPU."""
        unchanged = [c for c in self._convolutions if "forward" not in c.__dict__]
        with replaced_forward({c: partial(self._forward, c) for c in unchanged}):
            yield

    def refresh(self) -> None:
        """Transform the kernels again when they are next used."""
        self._kernel_cache.clear()

    def _forward(self, convolution: nn.Conv2d, input: Tensor) -> Tensor:
        if not _is_faster(input, self.min_tiles) or convolution.weight.requires_grad:
            return nn.Conv2d.forward(convolution, input)
        out: Tensor = _Winograd.apply(input, self._kernels(convolution))
        return out if convolution.bias is None else out + convolution.bias.view(1, -1, 1, 1)

    def _kernels(self, convolution: nn.Conv2d) -> Tensor:
        version = tensor_versions(convolution.weight)
        known = self._kernel_cache.get(convolution)
        if known is None or known[0] != version:
            with lasting_tensors():
                known = version, transformed(convolution.weight)
            self._kernel_cache[convolution] = known
        return known[1]


def transformed(weight: Tensor) -> Tensor:
    """Kernels (O, C, 3, 3) as (16, C, O)."""
    outputs, inputs = weight.shape[:2]
    values = weight.detach().permute(2, 3, 1, 0).reshape(9, -1)
    return (_KERNEL_2D @ values).view(16, inputs, outputs)


def convolve(maps: Tensor, kernels: Tensor, *, rotated: bool = False) -> Tensor:
    """Maps (N, C, H, W), H and W even, padded by one zero, with `transformed` kernels (16, C, O).

    ``rotated``: as if these had been rotated by 180 degrees before they were transformed.
    """
    count, channels, height, width = maps.shape
    out = maps.new_empty(count, height, width, kernels.shape[2])
    chunk = max(1, CHUNK // (4 * channels * height * width))
    for begin in range(0, count, chunk):
        out[begin : begin + chunk] = _convolve(maps[begin : begin + chunk], kernels, rotated)
    return out.permute(0, 3, 1, 2)


def _convolve(maps: Tensor, kernels: Tensor, rotated: bool) -> Tensor:
    """Maps (N, C, H, W) to (N, H, W, O)."""
    count, channels, height, width = maps.shape
    rows, columns = height // 2, width // 2
    padded = F.pad(maps.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).contiguous()
    of_image, of_row, of_column, _ = padded.stride()
    tiles = padded.as_strided(
        (4, 4, count, rows, columns, channels),
        (of_row, of_column, of_image, 2 * of_row, 2 * of_column, 1),
    )
    tile, back = (_TILE_ROTATED, _BACK_ROTATED) if rotated else (_TILE_2D, _BACK_2D)
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
        return convolve(gradients[0], kernels.transpose(1, 2), rotated=True), None


def _is_eligible(module: nn.Conv2d) -> bool:
    """A plain 3x3 convolution between enough channels that keeps the maps' size.

    Its kernel is a parameter: one that is computed in each pass has no version to be known by.
    """
    return (
        "weight" in module._parameters
        and type(module).forward is nn.Conv2d.forward
        and convolves_as_usual(module)
        and module.kernel_size == (3, 3)
        and module.stride == module.padding == module.dilation == (1, 1)
        and module.groups == 1
        and module.padding_mode == "zeros"
        and min(module.in_channels, module.out_channels) >= MIN_CHANNELS
    )


def _is_faster(maps: Tensor, min_tiles: int) -> bool:
    height, width = maps.shape[-2:]
    small = height <= MAX_SIDE and width <= MAX_SIDE and height % 2 == 0 and width % 2 == 0
    plain = maps.device.type == "cpu" and maps.dtype == torch.float32
    enough = maps.shape[0] * height * width >= 4 * min_tiles
    return small and plain and enough and not torch.is_autocast_enabled("cpu")
