"""What one forward pass through a teacher returns."""

from dataclasses import dataclass

from torch import Tensor

from naturalinversion import priors
from naturalinversion.errors import TeacherError
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
        """R_BN (Eq. 3), a scalar, as `priors.bn_statistics` of ``statistics``.

        Raises `TeacherError` where none were observed.
        """
        if self.stacked is not None:
            return self.stacked.distance()
        if not self.statistics:
            raise TeacherError(
                "no batch-norm statistics were observed: ask for them, by "
                "teacher.observe(images, statistics=True)"
            )
        return priors.bn_statistics(self.statistics)
