"""A device that replays where there is none: the CPU, with graphs it plays itself."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from naturalinversion.inversion import cuda_graph
from tests.naturalinversion.fake_cuda_graph import PlayedGraph


class _Stream:
    def __init__(self, device: object = None) -> None:
        pass

    def wait_stream(self, other: object) -> None:
        pass


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[PlayedGraph]:
    """The CPU is a device that replays; the graphs it was shown."""
    shown: list[PlayedGraph] = []

    def graph() -> PlayedGraph:
        shown.append(PlayedGraph())
        return shown[-1]

    def capture(graph: PlayedGraph, stream: object) -> Any:
        return graph.captured()

    monkeypatch.setattr(cuda_graph, "REPLAYING", ("cpu",))
    monkeypatch.setattr(torch.cuda, "Stream", _Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", _Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    return shown
