"""A step captured on a GPU once and repeated by it (CUDA graphs): the host's share is gone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch
from torch import Tensor

from naturalinversion.seeds import seeded

CAPTURING = ("cuda",)  # device types that can capture a step
WARM_UP = 3  # steps before the capture: libraries choose and load their kernels in them

Result = TypeVar("Result")

_eager = False


def supports_capture(device: torch.device) -> bool:
    """Whether ``device`` can capture a step and repeat it."""
    return device.type in CAPTURING


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


class CapturedStep(Generic[Result]):
    """``step`` captured on ``device``: a call does it again, and gives the same tensors, refilled.

    A step must do the same operations on the same tensors in every call and read nothing back.
    ``state`` gives the tensors that it goes on from. The capture is not one of its steps: they are
    left as they were, those that the first step made (an optimiser's) as zeros, and the global
    random state as well.
    """

    def __init__(
        self,
        step: Callable[[], Result],
        device: torch.device,
        state: Callable[[], Sequence[Tensor]],
    ) -> None:
        self.step = step  # what it works on has to live as long as the graph
        self.device = device
        self.state = state
        self.graph: torch.cuda.CUDAGraph | None = None
        self.result: Result
        if not _eager:
            self._capture()

    def __call__(self) -> Result:
        with torch.cuda.device(self.device):
            if _eager:
                return self.step()
            if self.graph is None:
                self._capture()
            assert self.graph is not None
            self.graph.replay()
        return self.result

    def _capture(self) -> None:
        before = {tensor: tensor.detach().clone() for tensor in self.state()}
        with torch.cuda.device(self.device), seeded(0):
            stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            for _ in range(WARM_UP):
                _run_on(stream, self.step)
                _put_back(self.state(), before)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=stream):
                self.result = self.step()
        self.graph = graph


def _run_on(stream: torch.cuda.Stream, step: Callable[[], object]) -> None:
    """On the stream that captures, as its memory has to be known there."""
    current = torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        step()
    current.wait_stream(stream)


@torch.no_grad()
def _put_back(state: Sequence[Tensor], before: dict[Tensor, Tensor]) -> None:
    for tensor in state:
        if tensor in before:
            tensor.copy_(before[tensor])
        else:
            tensor.zero_()
