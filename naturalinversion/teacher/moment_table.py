"""R_BN of all layers at once (Eq. 3): their moments in one table, on a device where calls cost.

Taken layer by layer, the loss and its gradient are some four hundred kernels of a few hundred
values each. Here they are ten, whatever the number of layers. `priors.bn_statistics` says the
same thing one layer after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class MomentTable:
    """Moments of L layers: a row (C,) for each mean, then one for each biased variance.

    C is the widest layer's; behind a layer's channels the rows are 0.
    """

    seen: Tensor  # (2L, C)
    remembered: Tensor  # (2L, C)

    def distance(self) -> Tensor:
        """R_BN: over the rows, the distance of what was seen from what is remembered."""
        distance: Tensor = _Distance.apply(self.seen, self.remembered)
        return distance


class _Distance(torch.autograd.Function):
    """Tables (2L, C) to the sum of their rows' distances; the first gets a gradient."""

    @staticmethod
    def forward(ctx: Any, seen: Tensor, remembered: Tensor) -> Tensor:
        difference = seen - remembered
        norms = torch.linalg.vector_norm(difference, dim=1, keepdim=True)
        ctx.save_for_backward(difference, norms)
        distance: Tensor = norms.sum()
        return distance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_distance: Tensor) -> tuple[Tensor, None]:
        difference, norms = ctx.saved_tensors
        slopes = (of_distance / norms).masked_fill_(norms == 0, 0.0)  # 0 where a norm has no slope
        return difference * slopes, None


def joined(rows: Sequence[Tensor], padding: Tensor) -> Tensor:
    """Vectors (C_i,) as the rows of a table (R, C), with ``padding`` (C,) behind them."""
    parts = []
    for row in rows:
        parts.append(row)
        if len(row) < len(padding):
            parts.append(padding[len(row) :])
    return torch.cat(parts).view(len(rows), -1)
