"""Batch norms that also tell what they saw (R_BN, Eq. 3), by the kernels that a GPU has for it.

With s = weight / std as it is frozen, n values a channel, and the mean and variance m and v of the
input x, the gradient of output and moments together is

    of_x = of_out * s + of_m / n + of_v * 2 / n * (x - m)

`torch.batch_norm_backward_elemt`, half of the gradient of a synchronised batch norm in training, is

    of_x = (of_out - sum_dy / n - (x - m) * invstd**2 * sum_dy_xmu / n) * weight * invstd

which is the same with invstd = 1, weight = s, sum_dy = -of_m / s and sum_dy_xmu = -2 of_v / s: one
kernel that reads the maps once. Where s vanishes it is held off zero, which moves the gradient by
`LEAST` of `of_out`. The factors -1 / s and -2 / s are taken for all layers at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from naturalinversion.priors import LayerStatistics
from naturalinversion.teacher.batch_norm_statistics import Seen, is_plain, record
from naturalinversion.teacher.kept import keepable
from naturalinversion.teacher.moment_table import MomentTable, joined
from naturalinversion.teacher.norm_tables import NormTables

KERNELS_ON = ("cuda",)  # device types that have them


class FusedNorms:
    """Frozen batch norms on such a device, and what their passes need of them, made once."""

    def __init__(self, norms: Sequence[nn.BatchNorm2d]) -> None:
        self.norms = list(norms)
        self._tables: NormTables | None = None
        self._counts: dict[tuple[int, torch.device], Tensor] = {}

    @contextmanager
    def record_batch_norm_statistics(self) -> Iterator[Seen]:
        """Fill the dictionary with what each norm saw, and `Seen.table`, when the block ends.

        Norms whose forward pass is not PyTorch's are recorded as in `batch_norm_statistics`.
        """
        seen, met = Seen(), Seen()
        plain = [norm for norm in self.norms if is_plain(norm)]
        tables = self._current()
        handles = []
        try:
            for index, norm in enumerate(self.norms):
                if norm in plain:
                    norm.forward = partial(self._forward, met, tables, index)  # type: ignore[method-assign]
                else:
                    handles.append(norm.register_forward_pre_hook(record(met)))
            yield seen
            if met:
                self._collect(seen, met, tables)
        finally:
            for norm in plain:
                norm.__dict__.pop("forward", None)
            for handle in handles:
                handle.remove()

    def refresh(self) -> None:
        """Take the norms as they are now, in place: a captured pass goes on with these."""
        if self._tables is not None:
            self._keep(NormTables(self.norms))

    def _current(self) -> NormTables:
        """Made anew when a norm has changed."""
        if self._tables is not None and self._tables.fits(self.norms):
            return self._tables
        fresh = NormTables(self.norms)
        if not keepable(fresh.zeros.device):
            return fresh
        return self._keep(fresh)

    def _keep(self, fresh: NormTables) -> NormTables:
        if self._tables is None or not self._tables.take(fresh):
            self._tables = fresh
        return self._tables

    def _forward(self, met: Seen, tables: NormTables, index: int, maps: Tensor) -> Tensor:
        norm = self.norms[index]
        assert norm.running_mean is not None
        assert norm.running_var is not None
        count = self._count(maps.numel() // maps.shape[1], maps.device)
        out, mean, variance = _FusedNorm.apply(maps, *tables.rows(index), count)
        met[norm] = LayerStatistics(mean, variance, norm.running_mean, norm.running_var)
        result: Tensor = out
        return result

    def _count(self, values: int, device: torch.device) -> Tensor:
        """The number as the kernel takes it, (1,), made once."""
        known = self._counts.get((values, device))
        if known is None:
            known = torch.full((1,), values, dtype=torch.int32, device=device)
            if keepable(device):
                self._counts[values, device] = known
        return known

    def _collect(self, seen: Seen, met: Seen, tables: NormTables) -> None:
        """A norm that was not called is at no distance from what it remembers."""
        rows = []
        for half, name in enumerate(("mean", "variance")):
            for index, norm in enumerate(self.norms):
                kept = tables.remembered[half * len(self.norms) + index, : norm.num_features]
                rows.append(getattr(met[norm], name).to(kept.dtype) if norm in met else kept)
        table = _Collected.apply(tables.factors, tables.zeros, *rows)
        means, variances = table.chunk(2)
        places: dict[nn.Module, int] = {norm: index for index, norm in enumerate(self.norms)}
        for called, layer in met.items():
            place, channels = places[called], len(layer.mean)
            seen[called] = LayerStatistics(
                means[place, :channels],
                variances[place, :channels],
                layer.running_mean,
                layer.running_variance,
            )
        seen.table = MomentTable(table, tables.remembered)


class _FusedNorm(torch.autograd.Function):
    """Maps (N, C, H, W) to normalised maps, their mean (C,) and their biased variance (C,).

    The gradients of the moments come as the kernel's sums, ``sum_dy`` and ``sum_dy_xmu``: that is
    what `_Collected` makes of them. The statistics, like mean, inverse deviation, weight, bias and
    scale (C,), are in float32 where the maps are narrower; ``ones`` (C,), ``count`` (1,).
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
        seen_mean, seen_variance = torch.batch_norm_update_stats(maps, None, None, 0.0)
        ctx.save_for_backward(maps, seen_mean, scale, ones, count)
        eps = 1e-5  # not read, as the inverse deviation is there
        out = torch.batch_norm_elemt(maps, weight, bias, mean, inverse, eps)
        return out, seen_mean, seen_variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_out: Tensor, sum_dy: Tensor, sum_dy_xmu: Tensor) -> tuple[Any, ...]:
        maps, seen_mean, scale, ones, count = ctx.saved_tensors
        of_maps = torch.batch_norm_backward_elemt(
            of_out.contiguous(memory_format=_layout(maps)),  # its layout has to be the maps'
            maps,
            seen_mean,
            ones,
            scale,
            sum_dy,
            sum_dy_xmu,
            count,
        )
        return of_maps, None, None, None, None, None, None, None


class _Collected(torch.autograd.Function):
    """Moments (C_i,) to a table (2L, C), and its gradient times ``factors`` (2L, C) back."""

    @staticmethod
    def forward(ctx: Any, factors: Tensor, padding: Tensor, *rows: Tensor) -> Tensor:
        ctx.save_for_backward(factors)
        ctx.channels = [len(row) for row in rows]
        return joined(rows, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_table: Tensor) -> tuple[Tensor | None, ...]:
        (factors,) = ctx.saved_tensors
        sums = (of_table * factors).unbind()
        return None, None, *(row[:count] for row, count in zip(sums, ctx.channels, strict=True))


def _layout(maps: Tensor) -> torch.memory_format:
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
