"""How forward passes of a frozen network are computed, by its device."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import nn

from naturalinversion.teacher import frozen_weights, fused_norms
from naturalinversion.teacher.batch_norm_statistics import Seen, record_batch_norm_statistics
from naturalinversion.teacher.frozen_weights import FrozenWeights
from naturalinversion.teacher.fused_norms import FusedNorms
from naturalinversion.teacher.winograd import WinogradConvolutions


class FastPasses:
    """The fast ways of ``network``, whose ``norms`` may be observed.

    ``kept`` names modules whose outputs somebody reads.
    """

    def __init__(
        self, network: nn.Module, norms: Sequence[nn.BatchNorm2d], kept: Collection[str]
    ) -> None:
        self._network, self._norms = network, norms
        self._winograd = WinogradConvolutions(network)
        self._weights = FrozenWeights(network, kept)
        self._fused_norms = FusedNorms(norms)

    @contextmanager
    def used(self, *, statistics: bool) -> Iterator[Seen]:
        """Until the end of the block, after which what batch norms saw is there if asked for."""
        device = next(self._network.parameters()).device.type
        keeps, fuses = device in frozen_weights.KEPT_ON, device in fused_norms.KERNELS_ON
        with self._weights.used(folded=not statistics) if keeps else self._winograd.used():
            norms: AbstractContextManager[Seen] = nullcontext(Seen())
            if statistics:
                norms = (
                    self._fused_norms.record_batch_norm_statistics()
                    if fuses
                    else record_batch_norm_statistics(self._norms)
                )
            with norms as seen:
                yield seen

    def refresh(self) -> None:
        """Take weights and statistics as they are now, whatever was made of them before."""
        self._weights.refresh()
        self._fused_norms.refresh()
