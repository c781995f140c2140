"""What one forward pass through a teacher returns."""

from dataclasses import dataclass

from torch import Tensor

from naturalinversion import priors
from naturalinversion.priors import LayerStatistics
from naturalinversion.teacher.stacked_moments import StackedMoments


@dataclass(frozen=True)
class Observation:
    """One forward pass of N images through a teacher with K classes."""

    logits: Tensor  # (N, K)
    statistics: tuple[LayerStatistics, ...] = ()  # one per batch norm's call, in that order
    maps: tuple[Tensor, ...] = ()  # (N, C_l, H_l, W_l), fine to coarse
    embedding: Tensor | None = None  # (N, D), what the logits' linear layer reads
    stacked: StackedMoments | None = None  # the statistics stacked over layers, on a GPU

    def bn_statistics(self) -> Tensor:
        """R_BN (Eq. 3), as `priors.bn_statistics` of ``statistics``."""
        if self.stacked is not None:
            return self.stacked.distance()
        return priors.bn_statistics(self.statistics)
