"""CUDA graphs emulated on a CPU: a capture records operations, a replay executes them again.

As on a GPU, a replay runs no Python code: it executes the captured operations on the captured
tensors, and writes results to the same addresses. What a GPU refuses within a capture is refused
here: reading a value back, and copying one from the host. A tensor created without a device is on
another device, as it would be on the host.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from naturalinversion.inversion import cuda_graph

READS_BACK = {"_local_scalar_dense", "item", "equal", "is_nonzero", "nonzero", "masked_select"}
HOST_COPIES = {"lift_fresh", "lift", "pin_memory"}
UNDECLARED_WRITES = {"running_mean", "running_var"}  # of batch norms, missing in their schemas


class RefusedError(RuntimeError):
    """An operation that can't be captured."""


class FakeGraph(TorchDispatchMode):
    """Replaces `torch.cuda.CUDAGraph`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.replayed = 0
        self._overwritten: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}  # and values before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in READS_BACK | HOST_COPIES or _indexes_by_mask(name, args):
            raise RefusedError(f"{name} within a capture")
        self._save_written(func, args, kwargs)
        results = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, _tensors(results)))
        return results

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Record the block's operations and undo their writes."""
        with self, torch.device("meta"):
            yield
        with torch.no_grad():
            for tensor, before in reversed(self._overwritten.values()):
                if not torch.equal(tensor, before):
                    tensor.copy_(before)
        self._overwritten.clear()

    @torch.no_grad()
    def replay(self) -> None:
        self.replayed += 1
        for func, args, kwargs, results in self.calls:
            again = _tensors(func(*args, **kwargs))
            for place, result in zip(results, again, strict=True):
                if place.data_ptr() != result.data_ptr():
                    place.copy_(result)

    def _save_written(self, func: Any, args: Any, kwargs: Any) -> None:
        for number, argument in enumerate(func._schema.arguments):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written or argument.name in UNDECLARED_WRITES:
                given = args[number] if number < len(args) else kwargs.get(argument.name)
                for tensor in _tensors(given):
                    place = tensor.data_ptr(), tensor.shape, tensor.stride()
                    self._overwritten.setdefault(place, (tensor, tensor.clone()))


def _indexes_by_mask(name: str, args: Any) -> bool:
    """Indexing by a mask reads back the number of rows."""
    indices = _tensors(args[1]) if name.startswith("index") and len(args) > 1 else []
    return any(index.dtype == torch.bool for index in indices)


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class Stream:
    """Replaces `torch.cuda.Stream`: operations of a CPU run in order."""

    def __init__(self, device: object = None) -> None:
        self.device = device

    def wait_stream(self, other: object) -> None:
        pass


class Event:
    """Replaces `torch.cuda.Event`; counts how often the host waited."""

    waited = 0

    def record(self) -> None:
        pass

    def synchronize(self) -> None:
        Event.waited += 1


def capture_on_cpu(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """Steps on the CPU are captured from now on; returns the list of graphs as they are made."""
    made: list[FakeGraph] = []

    def graph() -> FakeGraph:
        made.append(FakeGraph())
        return made[-1]

    monkeypatch.setattr(cuda_graph, "CAPTURING", ("cpu",))
    monkeypatch.setattr(Event, "waited", 0)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: graph.captured())
    return made
