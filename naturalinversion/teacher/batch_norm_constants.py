"""Per-channel constants of frozen batch norms, stacked over layers for the fused GPU kernels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from naturalinversion.teacher.batch_norm_statistics import can_fuse
from naturalinversion.teacher.derived_tensors import (
    copied_in_place,
    lasting_tensors,
    tensor_versions,
)
from naturalinversion.teacher.stacked_moments import stack_padded

MIN_SCALE = 1e-12  # least magnitude of a scale, which the backward pass divides by


class BatchNormConstants:
    """Tensors (L, C) for L norms of at most C channels, in float32 at least; float64 stays."""

    @lasting_tensors()
    def __init__(self, norms: Sequence[nn.BatchNorm2d]) -> None:
        means: list[Tensor] = [norm.running_mean for norm in norms]  # type: ignore[misc]
        variances: list[Tensor] = [norm.running_var for norm in norms]  # type: ignore[misc]
        dtype = torch.promote_types(means[0].dtype, torch.float32)
        device = means[0].device
        widest = max(norm.num_features for norm in norms)
        self._channels = [norm.num_features for norm in norms]
        self._versions = _norm_versions(norms)
        self.zeros = torch.zeros(widest, dtype=dtype, device=device)
        self.ones = torch.ones(widest, dtype=dtype, device=device)

        def stacked(rows: Sequence[Tensor], padding: Tensor) -> Tensor:
            return stack_padded([row.detach().to(dtype) for row in rows], padding)

        def affine(name: str, default: Tensor) -> Tensor:
            given = [getattr(norm, name) for norm in norms]
            rows = [
                default[:count] if row is None else row
                for row, count in zip(given, self._channels, strict=True)
            ]
            return stacked(rows, self.zeros)

        self.running = stacked([*means, *variances], self.zeros)  # (2L, C)
        squares = torch._foreach_add(
            [variance.to(dtype) for variance in variances], [norm.eps for norm in norms]
        )
        self.inverses = stacked(squares, self.ones).rsqrt()
        self.weights = affine("weight", self.ones)
        self.biases = affine("bias", self.zeros)
        self.scales = clamp_from_zero(self.weights * self.inverses)
        self.factors = gradient_factors(self.scales)  # (2L, C)
        for index, norm in enumerate(norms):
            if not can_fuse(norm):  # autograd differentiates its moments: no factor
                self.factors[index :: len(norms)].fill_(1.0)

    def rows(self, index: int) -> tuple[Tensor, ...]:
        """Running mean, 1 / std, weight, bias, scale and ones, each (C_i,), of norm ``index``."""
        stacked = (self.running, self.inverses, self.weights, self.biases, self.scales)
        channels = self._channels[index]
        return *(rows[index, :channels] for rows in stacked), self.ones[:channels]

    def current(self, norms: Sequence[nn.BatchNorm2d]) -> bool:
        """Whether no tensor of the norms has changed since."""
        return self._versions == _norm_versions(norms)

    def update(self, other: "BatchNormConstants") -> bool:
        """Copy ``other`` into this memory in place; False where shapes, types or devices differ."""
        if not copied_in_place(self._tensors(), other._tensors()):
            return False
        self._versions = other._versions
        return True

    def _tensors(self) -> list[Tensor]:
        return [
            self.running,
            self.inverses,
            self.weights,
            self.biases,
            self.scales,
            self.factors,
        ]


def clamp_from_zero(scales: Tensor) -> Tensor:
    """``scales`` with the same sign, and a magnitude of `MIN_SCALE` at least."""
    return torch.where(scales < 0, scales.clamp_max(-MIN_SCALE), scales.clamp_min(MIN_SCALE))


def gradient_factors(scales: Tensor) -> Tensor:
    """Factors (2L, C) from gradients of means and variances to ``sum_dy`` and ``sum_dy_xmu``."""
    return torch.cat([-1 / scales, -2 / scales])


def _norm_versions(norms: Sequence[nn.BatchNorm2d]) -> list[tuple[object, ...]]:
    return [(norm.eps, can_fuse(norm), *tensor_versions(*norm_tensors(norm))) for norm in norms]


def norm_tensors(norm: nn.BatchNorm2d) -> tuple[Tensor | None, ...]:
    """Running mean, running variance, weight and bias; without affine parameters two are None."""
    return norm.running_mean, norm.running_var, norm.weight, norm.bias
