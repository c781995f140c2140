"""Batch norms and their input moments (R_BN, Eq. 3) by the GPU kernels of synchronised batch norm.

With the frozen scale s = weight / std, n values a channel, and the mean and variance m and v of the
input x, the joint gradient through output and moments is

    grad_x = grad_out * s + grad_m / n + grad_v * 2 / n * (x - m)

`torch.batch_norm_backward_elemt`, half of the gradient of a synchronised batch norm in training, is

    grad_x = (grad_out - sum_dy / n - (x - m) * invstd**2 * sum_dy_xmu / n) * weight * invstd

which is the same with invstd = 1, weight = s, sum_dy = -grad_m / s, sum_dy_xmu = -2 grad_v / s: one
kernel that reads the maps once. |s| is clamped to `MIN_SCALE` at least, which changes the gradient
by that share of `grad_out`. The factors -1 / s and -2 / s are applied to all layers at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from naturalinversion.priors import LayerStatistics
from naturalinversion.teacher.batch_norm_constants import BatchNormConstants
from naturalinversion.teacher.batch_norm_statistics import (
    RecordedStatistics,
    can_fuse,
    recording_hooks,
)
from naturalinversion.teacher.derived_tensors import can_cache, lasting_tensors
from naturalinversion.teacher.replaced_forward import Forwards, replaced_forward
from naturalinversion.teacher.stacked_moments import StackedMoments, stack_padded

FUSED_DEVICES = ("cuda",)  # device types with these kernels


class FusedBatchNorms:
    """Frozen batch norms on a GPU; their per-channel constants are computed once and cached."""

    def __init__(self, norms: Sequence[nn.BatchNorm2d]) -> None:
        self.norms = list(norms)
        self._constants: BatchNormConstants | None = None
        self._counts: dict[tuple[int, torch.device], Tensor] = {}

    @contextmanager
    def record_batch_norm_statistics(self) -> Iterator[RecordedStatistics]:
        """Fill the dictionary, and its ``stacked`` moments, when the block ends.

        Norms whose forward pass is not PyTorch's are recorded by a pre-hook.
        """
        recorded, layers = RecordedStatistics(), RecordedStatistics()
        constants = self._current()
        functions: Forwards = {
            norm: partial(self._forward, layers, constants, index)
            for index, norm in enumerate(self.norms)
            if can_fuse(norm)
        }
        others = [norm for norm in self.norms if norm not in functions]
        with replaced_forward(functions), recording_hooks(others, layers):
            yield recorded
            if layers:
                self._stack(recorded, layers, constants)

    def refresh(self) -> None:
        """Recompute the constants in place, where a captured forward pass reads them."""
        if self._constants is not None:
            self._cache(BatchNormConstants(self.norms))

    def _current(self) -> BatchNormConstants:
        """The constants, recomputed if a norm has changed."""
        if self._constants is not None and self._constants.current(self.norms):
            return self._constants
        fresh = BatchNormConstants(self.norms)
        if not can_cache(fresh.zeros.device):
            return fresh
        return self._cache(fresh)

    def _cache(self, fresh: BatchNormConstants) -> BatchNormConstants:
        if self._constants is None or not self._constants.update(fresh):
            self._constants = fresh
        return self._constants

    def _forward(
        self, layers: RecordedStatistics, constants: BatchNormConstants, index: int, input: Tensor
    ) -> Tensor:
        norm = self.norms[index]
        assert norm.running_mean is not None
        assert norm.running_var is not None
        count = self._count(input.numel() // input.shape[1], input.device)
        out: Tensor
        out, mean, variance = _FusedBatchNorm.apply(input, *constants.rows(index), count)
        layers[norm] = LayerStatistics(mean, variance, norm.running_mean, norm.running_var)
        return out

    def _count(self, values: int, device: torch.device) -> Tensor:
        """``values`` as the int32 tensor (1,) that the kernel takes, cached."""
        known = self._counts.get((values, device))
        if known is None:
            with lasting_tensors():
                known = torch.full((1,), values, dtype=torch.int32, device=device)
            if can_cache(device):
                self._counts[values, device] = known
        return known

    def _stack(
        self,
        recorded: RecordedStatistics,
        layers: RecordedStatistics,
        constants: BatchNormConstants,
    ) -> None:
        """Stack the moments; norms that were not called get their running ones: distance 0."""
        rows = []
        for half, name in enumerate(("mean", "variance")):
            for index, norm in enumerate(self.norms):
                running = constants.running[half * len(self.norms) + index, : norm.num_features]
                rows.append(
                    getattr(layers[norm], name).to(running.dtype) if norm in layers else running
                )
        stacked = _StackMoments.apply(constants.factors, constants.zeros, *rows)
        means, variances = stacked.chunk(2)
        indices: dict[nn.Module, int] = {norm: index for index, norm in enumerate(self.norms)}
        for called, layer in layers.items():
            index, channels = indices[called], len(layer.mean)
            recorded[called] = LayerStatistics(
                means[index, :channels],
                variances[index, :channels],
                layer.running_mean,
                layer.running_variance,
            )
        recorded.stacked = StackedMoments(stacked, constants.running)


class _FusedBatchNorm(torch.autograd.Function):
    """Maps (N, C, H, W) to normalised maps, their mean (C,) and their biased variance (C,).

    The gradients of the moments arrive from `_StackMoments` as the kernel's ``sum_dy`` and
    ``sum_dy_xmu``. ``mean`` and ``inverse`` (1 / std) are the frozen ones; they, ``weight``,
    ``bias``, ``scale``, ``ones`` and the moments are (C,), in float32 where the maps are narrower;
    ``count`` is (1,).
    """

    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        mean: Tensor,
        inverse: Tensor,
        weight: Tensor,
        bias: Tensor,
        scale: Tensor,
        ones: Tensor,
        count: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        maps = maps.contiguous(memory_format=_layout(maps))
        batch_mean, batch_variance = torch.batch_norm_update_stats(maps, None, None, 0.0)
        ctx.save_for_backward(maps, batch_mean, scale, ones, count)
        out = torch.batch_norm_elemt(maps, weight, bias, mean, inverse, 1e-5)  # eps is not read
        return out, batch_mean, batch_variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor, sum_dy: Tensor, sum_dy_xmu: Tensor) -> tuple[Any, ...]:
        maps, batch_mean, scale, ones, count = ctx.saved_tensors
        grad_maps = torch.batch_norm_backward_elemt(
            grad_out.contiguous(
                memory_format=_layout(maps)
            ),  # the kernel requires the maps' layout
            maps,
            batch_mean,
            ones,
            scale,
            sum_dy,
            sum_dy_xmu,
            count,
        )
        return grad_maps, None, None, None, None, None, None, None


class _StackMoments(torch.autograd.Function):
    """Moments (C_i,) to (2L, C); the backward pass multiplies by ``factors`` (2L, C)."""

    @staticmethod
    def forward(ctx: Any, factors: Tensor, padding: Tensor, *rows: Tensor) -> Tensor:
        ctx.save_for_backward(factors)
        ctx.channels = [len(row) for row in rows]
        return stack_padded(rows, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_table: Tensor) -> tuple[Tensor | None, ...]:
        (factors,) = ctx.saved_tensors
        sums = (grad_table * factors).unbind()
        return None, None, *(row[:count] for row, count in zip(sums, ctx.channels, strict=True))


def _layout(maps: Tensor) -> torch.memory_format:
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
