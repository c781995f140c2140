"""What the kernels for batch norms need of frozen ones, for all layers in a few tables."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from naturalinversion.teacher.batch_norm_statistics import is_plain
from naturalinversion.teacher.kept import refilled, version
from naturalinversion.teacher.moment_table import joined

LEAST = 1e-12  # of a scale: it is divided by


class NormTables:
    """A row for each of L norms, C values wide as the widest; in float32 at least."""

    def __init__(self, norms: Sequence[nn.BatchNorm2d]) -> None:
        means: list[Tensor] = [norm.running_mean for norm in norms]  # type: ignore[misc]
        variances: list[Tensor] = [norm.running_var for norm in norms]  # type: ignore[misc]
        dtype = torch.promote_types(means[0].dtype, torch.float32)
        device = means[0].device
        widest = max(norm.num_features for norm in norms)
        self._channels = [norm.num_features for norm in norms]
        self._version = _version(norms)
        self.zeros = torch.zeros(widest, dtype=dtype, device=device)
        self.ones = torch.ones(widest, dtype=dtype, device=device)

        def table(rows: Sequence[Tensor], padding: Tensor) -> Tensor:
            return joined([row.detach().to(dtype) for row in rows], padding)

        def learned(name: str, default: Tensor) -> Tensor:
            given = [getattr(norm, name) for norm in norms]
            rows = [
                default[:count] if row is None else row
                for row, count in zip(given, self._channels, strict=True)
            ]
            return table(rows, self.zeros)

        self.remembered = table([*means, *variances], self.zeros)  # (2L, C)
        squares = torch._foreach_add(
            [variance.to(dtype) for variance in variances], [norm.eps for norm in norms]
        )
        self.inverses = table(squares, self.ones).rsqrt()
        self.weights = learned("weight", self.ones)
        self.biases = learned("bias", self.zeros)
        self.scales = held_off_zero(self.weights * self.inverses)
        self.factors = sum_factors(self.scales)  # (2L, C)
        for index, norm in enumerate(norms):
            if not is_plain(norm):  # autograd makes its gradient, of the moments as they are
                self.factors[index :: len(norms)].fill_(1.0)

    def rows(self, index: int) -> tuple[Tensor, ...]:
        """Mean, inverse deviation, weight, bias, scale and ones (C_i,) of a norm."""
        tables = (self.remembered, self.inverses, self.weights, self.biases, self.scales)
        channels = self._channels[index]
        return *(table[index, :channels] for table in tables), self.ones[:channels]

    def fits(self, norms: Sequence[nn.BatchNorm2d]) -> bool:
        """Whether the norms are still those that the tables were made of."""
        return self._version == _version(norms)

    def take(self, other: "NormTables") -> bool:
        """Copy ``other`` into these tables' memory; False where it has no place there."""
        if not refilled(self._tables(), other._tables()):
            return False
        self._version = other._version
        return True

    def _tables(self) -> list[Tensor]:
        return [
            self.remembered,
            self.inverses,
            self.weights,
            self.biases,
            self.scales,
            self.factors,
        ]


def held_off_zero(scales: Tensor) -> Tensor:
    """With the same sign, and at least `LEAST` away."""
    return torch.where(scales < 0, scales.clamp_max(-LEAST), scales.clamp_min(LEAST))


def sum_factors(scales: Tensor) -> Tensor:
    """What makes of the gradients of means and variances the kernel's sums: (L, C) to (2L, C)."""
    return torch.cat([-1 / scales, -2 / scales])


def _version(norms: Sequence[nn.BatchNorm2d]) -> list[tuple[object, ...]]:
    return [(norm.eps, is_plain(norm), *version(*of_norm(norm))) for norm in norms]


def of_norm(norm: nn.BatchNorm2d) -> tuple[Tensor | None, ...]:
    """The tensors that a frozen norm computes with."""
    return norm.running_mean, norm.running_var, norm.weight, norm.bias
