"""A step told to a GPU once and repeated by it (CUDA graphs): the host's share of it is gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

REPLAYING = ("cuda",)  # device types that can be shown a step
WARM_UP = 3  # iterations before the capture: libraries choose and load their kernels in them

_eager = False


def replays(device: torch.device) -> bool:
    """Whether ``device`` can be shown a step and repeat it."""
    return device.type in REPLAYING


@contextmanager
def eager() -> Iterator[None]:
    """Until the end of the block the same steps run as they are: nothing is captured or replayed.

    For comparisons with captured steps, and for counting operations.
    """
    global _eager
    before, _eager = _eager, True
    try:
        yield
    finally:
        _eager = before


class Replay:
    """``step`` on such a device: run as it is a few times, then captured, then replayed.

    A step must do the same operations on the same tensors in every call and read nothing back.
    """

    def __init__(self, step: Callable[[], None], device: torch.device) -> None:
        self.step = step
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.graph: torch.cuda.CUDAGraph | None = None
        self.done = 0

    def __call__(self) -> None:
        with torch.cuda.device(self.device):
            if _eager:
                self.step()
            elif self.graph is not None:
                self.graph.replay()
            elif self.done < WARM_UP:
                self._aside()
            else:
                self._capture()
        self.done += 1

    def _aside(self) -> None:
        """On the stream that captures, as its memory has to be known there."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            self.step()
        current.wait_stream(self.stream)

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self.stream):
            self.step()
        graph.replay()
        self.graph = graph
