"""R_BN (Eq. 3) of all layers in one operation, for devices where kernel launches dominate.

Layer by layer, the loss and its gradient take about four hundred kernels of a few hundred values
each; stacked they take ten for any number of layers. `priors.bn_statistics` computes the same
layer by layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class StackedMoments:
    """Moments of L layers: a row (C,) for each mean, then one for each biased variance.

    C is the largest number of channels; rows of narrower layers are padded with 0.
    """

    batch: Tensor  # (2L, C), of the current batch
    running: Tensor  # (2L, C), of the training images

    def distance(self) -> Tensor:
        """R_BN, a scalar: the sum over rows of the norm of ``batch - running``."""
        distance: Tensor = _RowDistances.apply(self.batch, self.running)
        return distance


class _RowDistances(torch.autograd.Function):
    """Two (2L, C) to the sum of their rows' Euclidean distances; only the first has a gradient."""

    @staticmethod
    def forward(ctx: Any, batch: Tensor, running: Tensor) -> Tensor:
        difference = batch - running
        norms = torch.linalg.vector_norm(difference, dim=1, keepdim=True)
        ctx.save_for_backward(difference, norms)
        distance: Tensor = norms.sum()
        return distance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_distance: Tensor) -> tuple[Tensor, None]:
        difference, norms = ctx.saved_tensors
        slopes = (grad_distance / norms).masked_fill_(norms == 0, 0.0)  # the subgradient at 0
        return difference * slopes, None


def stack_padded(rows: Sequence[Tensor], padding: Tensor) -> Tensor:
    """Vectors (C_i,) as rows of a (R, C) tensor, each followed by the rest of ``padding`` (C,)."""
    parts = []
    for row in rows:
        parts.append(row)
        if len(row) < len(padding):
            parts.append(padding[len(row) :])
    return torch.cat(parts).view(len(rows), -1)
