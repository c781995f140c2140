"""Which optimised forward pass a frozen network takes, by its device."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock

from torch import nn

from naturalinversion.teacher import cached_weights, fused_batch_norm
from naturalinversion.teacher.batch_norm_statistics import (
    RecordedStatistics,
    record_batch_norm_statistics,
)
from naturalinversion.teacher.cached_weights import CachedWeights
from naturalinversion.teacher.fused_batch_norm import FusedBatchNorms
from naturalinversion.teacher.own_copy import first_tensor
from naturalinversion.teacher.winograd import WinogradConvolutions


class AcceleratedForward:
    """Winograd convolutions on a CPU; cached weights and fused batch norms on a GPU.

    ``norms`` are the batch norms of ``network`` whose input statistics can be recorded, and how
    often a pass calls each; fused are those of PyTorch's class that are called once. ``hooked``
    names modules whose outputs are read by hooks: no batch norm is folded into them. ``layers``
    False: convolutions and linear layers stay as they are, for networks that need their layout.
    """

    def __init__(
        self,
        network: nn.Module,
        norms: Mapping[nn.Module, int],
        hooked: Collection[str],
        layers: bool = True,
    ) -> None:
        self._network, self._norms, self._layers = network, list(norms), layers
        self._winograd = WinogradConvolutions(network)
        self._weights = CachedWeights(network, hooked)
        plain = [n for n, calls in norms.items() if isinstance(n, nn.BatchNorm2d) and calls == 1]
        self._fused_norms = FusedBatchNorms(plain) if len(plain) == len(norms) else None
        self._one_pass = _Lock()

    @contextmanager
    def enabled(self, *, statistics: bool) -> Iterator[RecordedStatistics]:
        """Replace the forward methods of layers until the end of the block.

        With ``statistics`` those of every batch norm are recorded after the block. Another thread
        waits at its beginning: it would call, and undo, what is replaced here.
        """
        device = first_tensor(self._network).device.type
        layers: AbstractContextManager[None] = nullcontext()
        if self._layers and device in cached_weights.CACHED_DEVICES:
            layers = self._weights.enabled(folded=not statistics)
        elif self._layers:
            layers = self._winograd.enabled()
        norms: AbstractContextManager[RecordedStatistics] = nullcontext(RecordedStatistics())
        if statistics and self._fused_norms and device in fused_batch_norm.FUSED_DEVICES:
            norms = self._fused_norms.record_batch_norm_statistics()
        elif statistics:
            norms = record_batch_norm_statistics(self._norms)
        with self._one_pass, layers, norms as recorded:
            yield recorded

    @contextmanager
    def for_few_images(self) -> Iterator[None]:
        """Take the optimised pass of a large batch until the end of the block, for a trial."""
        before, self._winograd.min_tiles = self._winograd.min_tiles, 0
        try:
            yield
        finally:
            self._winograd.min_tiles = before

    def refresh(self) -> None:
        """Recompute all that is cached from the network's current weights and statistics."""
        with self._one_pass:
            self._winograd.refresh()
            self._weights.refresh()
            if self._fused_norms is not None:
                self._fused_norms.refresh()


class _Lock:
    """A lock that a thread may take again, and whose copy is free, as a teacher can be copied."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *raised: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type["_Lock"], tuple[()]]:
        return _Lock, ()
