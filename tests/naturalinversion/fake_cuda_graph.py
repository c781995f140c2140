"""CUDA graphs played on a CPU: a capture writes operations down, a replay does them again.

As on a GPU, a replay knows no Python: it repeats the captured operations on the tensors they had,
and their results lie where they lay. What a GPU refuses within a capture is refused here: reading a
number back, and copying one from the host. A tensor made without naming the device is one of
another device, as the host's would be.
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
FROM_THE_HOST = {"lift_fresh", "lift", "pin_memory"}
UNANNOUNCED = {"running_mean", "running_var"}  # written by batch norms whose schemas don't say so


class RefusedError(RuntimeError):
    """What can't be captured."""


class FakeGraph(TorchDispatchMode):
    """Stands in for `torch.cuda.CUDAGraph`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self.replayed = 0
        self._before: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}  # what a capture overwrote

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in READS_BACK | FROM_THE_HOST or _counts_what_is_true(name, args):
            raise RefusedError(f"{name} within a capture")
        self._keep_what_is_written(func, args, kwargs)
        results = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, _tensors(results)))
        return results

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Write the block down; its operations are not done."""
        with self, torch.device("meta"):
            yield
        with torch.no_grad():
            for tensor, before in reversed(self._before.values()):
                if not torch.equal(tensor, before):
                    tensor.copy_(before)
        self._before.clear()

    @torch.no_grad()
    def replay(self) -> None:
        self.replayed += 1
        for func, args, kwargs, results in self.calls:
            again = _tensors(func(*args, **kwargs))
            for place, result in zip(results, again, strict=True):
                if place.data_ptr() != result.data_ptr():
                    place.copy_(result)

    def _keep_what_is_written(self, func: Any, args: Any, kwargs: Any) -> None:
        for number, argument in enumerate(func._schema.arguments):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written or argument.name in UNANNOUNCED:
                given = args[number] if number < len(args) else kwargs.get(argument.name)
                for tensor in _tensors(given):
                    place = tensor.data_ptr(), tensor.shape, tensor.stride()
                    self._before.setdefault(place, (tensor, tensor.clone()))


def _counts_what_is_true(name: str, args: Any) -> bool:
    """Indexing by a mask: how many rows come out is read back."""
    indices = _tensors(args[1]) if name.startswith("index") and len(args) > 1 else []
    return any(index.dtype == torch.bool for index in indices)


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class Stream:
    """All work of a CPU is in order."""

    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: object) -> None:
        pass


class Event:
    """A point in that work; it counts how often the host waited for one."""

    waited = 0

    def record(self) -> None:
        pass

    def synchronize(self) -> None:
        Event.waited += 1


def capture_on_cpu(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """The CPU is a device that captures; the graphs it makes from now on."""
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
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: graph.captured())
    return made
