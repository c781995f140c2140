"""Iterations that must be replays of a captured step, and must not wait for the device."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch

FREE = 6  # iterations before: libraries load their kernels, the step is captured


@dataclass
class Guard:
    """From iteration `FREE` on to the last but one PyTorch raises where the host would wait."""

    total: int
    first: int = FREE
    done: int = 0
    replays: int = 0
    iterations: int = 0  # under guard

    @property
    def unguarded(self) -> int:
        """Iterations that were let alone, the last one aside."""
        return self.total - 1 - self.iterations

    def progress(self, steps: int) -> None:
        """Told of iterations as a method does them."""
        if self.guarding:
            self.iterations += steps
        self.done += steps
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error" if self.guarding else "default")

    def replayed(self) -> None:
        """Told of a replay."""
        if self.guarding:
            self.replays += 1

    @property
    def guarding(self) -> bool:
        return self.first <= self.done < self.total - 1


@contextmanager
def guarded(total: int) -> Iterator[Guard]:
    """A guard for a batch of ``total`` iterations, whose replays it counts."""
    guard = Guard(total)
    with at_replays(guard.replayed):
        try:
            yield guard
        finally:
            torch.cuda.set_sync_debug_mode("default")


@contextmanager
def at_replays(call: Callable[[], None]) -> Iterator[None]:
    """Call ``call`` before every replay of a captured graph in the block."""
    graph: Any = torch.cuda.CUDAGraph
    replay: Callable[[Any], None] = graph.replay

    @wraps(replay)
    def announced(graph: Any) -> None:
        call()
        replay(graph)

    graph.replay = announced
    try:
        yield
    finally:
        graph.replay = replay
