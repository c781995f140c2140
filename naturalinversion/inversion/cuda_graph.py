"""A step captured as a CUDA graph and replayed: no launch overhead on the host."""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from naturalinversion.seeds import seeded

CAPTURING = ("cuda",)  # device types that can capture a step
WARM_UP = 3  # eager steps before the capture, in which libraries select and load kernels

Result = TypeVar("Result")

_eager = False


def supports_capture(device: torch.device) -> bool:
    """Whether steps on ``device`` are captured as CUDA graphs."""
    return device.type in CAPTURING


@contextmanager
def eager() -> Iterator[None]:
    """Run steps eagerly until the end of the block: nothing is captured or replayed.

    For comparisons with captured steps, and for counting operations.
    """
    global _eager
    before, _eager = _eager, True
    try:
        yield
    finally:
        _eager = before


class CapturedStep(Generic[Result]):
    """``step`` captured on ``device``: a call replays it and returns the same tensors, overwritten.

    A step must do the same operations on the same tensors in every call and read nothing back to
    the host. ``state`` returns the tensors that it updates. The capture does not count as a step:
    afterwards they hold their values from before, those that the first step created (an
    optimiser's) zeros, and the global random states are restored as well; so too when it raises.

    ``unknown``: the step contains somebody else's network. It raises `RuntimeError` before the
    capture where it waits for the device or draws on the host: an invalid capture would leave
    PyTorch's allocator in a state without recovery. `RuntimeError` as well where the step gives a
    tensor of ``state`` other memory (``.data = ...``): a replay would use the memory of before.
    """

    def __init__(
        self,
        step: Callable[[], Result],
        device: torch.device,
        state: Callable[[], Sequence[Tensor]],
        *,
        unknown: bool = False,
    ) -> None:
        self.step = step  # keeps its tensors alive as long as the graph
        self.device = device
        self.unknown = unknown
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
        with torch.cuda.device(self.device), seeded(0), _host_draws_undone():
            try:
                # For its exit alone: PyTorch does not leave the stream of a capture that failed.
                with torch.cuda.stream(torch.cuda.current_stream()):
                    self.graph = self._captured(before)
            except BaseException:
                _restore(self.state(), before)
                raise

    def _captured(self, before: dict[Tensor, Tensor]) -> torch.cuda.CUDAGraph:
        stream = _stream(torch.cuda.current_stream().device)
        for left in reversed(range(WARM_UP)):
            # The first steps may wait, as what they load and cache is there afterwards.
            with _capturable(self.device) if self.unknown and not left else nullcontext():
                _run_on_stream(stream, self.step)
            _restore(self.state(), before)
        addresses = [tensor.data_ptr() for tensor in before]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            self.result = self.step()
        if [tensor.data_ptr() for tensor in before] != addresses:
            raise RuntimeError("it gives a tensor other memory, in place of writing to it")
        return graph


@contextmanager
def _capturable(device: torch.device) -> Iterator[None]:
    """Raise where the block waits for the device, or after it has drawn on the host."""
    drawn = _host_random_state(device)
    mode = ("default", "warn", "error")[torch.cuda.get_sync_debug_mode()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the mode is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    if _host_random_state(device) != drawn:
        raise RuntimeError("it draws random numbers on the host")


@contextmanager
def _host_draws_undone() -> Iterator[None]:
    """Restore the random states of Python and NumPy at the end of the block."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def _host_random_state(device: torch.device) -> tuple[object, ...]:
    on_host = () if device.type == "cpu" else torch.get_rng_state().tolist()
    return random.getstate(), tuple(on_host), repr(np.random.get_state(legacy=False))


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all captures: cuBLAS keeps a workspace for every stream that ever multiplied.

    ``device`` has an index: without one it is another device when the current one changes.
    """
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _run_on_stream(stream: torch.cuda.Stream, step: Callable[[], object]) -> None:
    """Run ``step`` on the stream of the capture, whose memory pool it then shares."""
    current = torch.cuda.current_stream()
    stream.wait_stream(current)
    try:
        with torch.cuda.stream(stream):
            step()
    finally:
        current.wait_stream(stream)


@torch.no_grad()
def _restore(state: Sequence[Tensor], before: dict[Tensor, Tensor]) -> None:
    for tensor in state:
        if tensor in before:
            tensor.copy_(before[tensor])
        else:
            tensor.zero_()
