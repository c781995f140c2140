"""Wall time of what runs on a device, waited for."""

import time
from collections.abc import Callable

import torch

from benchmarks.engine.machine import peak_memory, reset_peak_memory


class Stopwatch:
    """Seconds on one device, and its peak memory since `begin`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.begin()

    def begin(self) -> None:
        """Start measuring the peak anew."""
        reset_peak_memory(self.device)

    def now(self) -> float:
        """Seconds, once the device has finished its queue."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def per_call(self, call: Callable[[], object], calls: int) -> float:
        """Seconds a call, after three that don't count."""
        for _ in range(3):
            call()
        started = self.now()
        for _ in range(calls):
            call()
        return (self.now() - started) / calls

    def peak_mb(self) -> float:
        """The most memory since `begin`, in 1e6 bytes."""
        return peak_memory(self.device)
