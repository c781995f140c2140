"""Which optimised forward pass a frozen network takes, by its device."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import nn

from naturalinversion.teacher import cached_weights, fused_batch_norm
from naturalinversion.teacher.batch_norm_statistics import (
    RecordedStatistics,
    record_batch_norm_statistics,
)
from naturalinversion.teacher.cached_weights import CachedWeights
from naturalinversion.teacher.fused_batch_norm import FusedBatchNorms
from naturalinversion.teacher.winograd import WinogradConvolutions


class AcceleratedForward:
    """Winograd convolutions on a CPU; cached weights and fused batch norms on a GPU.

    ``norms`` are the batch norms of ``network`` whose input statistics can be recorded.
    ``hooked`` names modules whose outputs are read by hooks: no batch norm is folded into them.
    """

    def __init__(
        self, network: nn.Module, norms: Sequence[nn.BatchNorm2d], hooked: Collection[str]
    ) -> None:
        self._network, self._norms = network, norms
        self._winograd = WinogradConvolutions(network)
        self._weights = CachedWeights(network, hooked)
        self._fused_norms = FusedBatchNorms(norms)

    @contextmanager
    def enabled(self, *, statistics: bool) -> Iterator[RecordedStatistics]:
        """Replace the forward methods of layers until the end of the block.

        With ``statistics`` the dictionary holds those of every batch norm after the block.
        """
        device = next(self._network.parameters()).device.type
        caches = device in cached_weights.CACHED_DEVICES
        fuses = device in fused_batch_norm.FUSED_DEVICES
        convolutions = (
            self._weights.enabled(folded=not statistics) if caches else self._winograd.enabled()
        )
        norms: AbstractContextManager[RecordedStatistics] = nullcontext(RecordedStatistics())
        if statistics and fuses:
            norms = self._fused_norms.record_batch_norm_statistics()
        elif statistics:
            norms = record_batch_norm_statistics(self._norms)
        with convolutions, norms as recorded:
            yield recorded

    def refresh(self) -> None:
        """Recompute all that is cached from the network's current weights and statistics."""
        self._weights.refresh()
        self._fused_norms.refresh()
