"""Where and how long a command computes: device, precision, threads, processes, cluster, hours."""

import os
import sys
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import torch

from benchmarks.cli.console import log
from benchmarks.cli.help_texts import optional
from benchmarks.engine.executor import RayOptions
from benchmarks.engine.machine import Machine, device_named
from naturalinversion.errors import UsageError
from naturalinversion.precision import Precision, is_emulated

MAX_HOURS = 10_000


@dataclass(frozen=True)
class ComputeOptions:
    """Device, precision and threads."""

    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes a GPU if there is one"""
    precision: Precision | Literal["auto"] = "auto"
    """of convolutions and matrix products; auto: fp32 on a CPU, tf32 on a GPU, where fp32 is slow;
    bf16 is the fastest there, and on a CPU with instructions for it; tf32 is a GPU's alone"""
    fast: bool = False
    """on a GPU: let cuDNN time its algorithms and choose; records then say that bytes may differ"""
    threads: int = 0
    """CPU threads of each process; 0: all cores, or $OMP_NUM_THREADS, and 1 each of several
    workers"""

    def check(self) -> None:
        """Raises `UsageError` for options that can't be, alone or together."""
        if self.threads < 0:
            raise UsageError(f"--threads {self.threads}: 0 or more")
        if self.precision == "tf32" and self._device() == "cpu":
            raise UsageError("--precision tf32: a GPU's alone, a CPU computes in fp32 or bf16")

    def machine(self) -> Machine:
        """Device, precision and threads. Raises what `check` does; says once if it will be slow."""
        self.check()
        threads = self.threads or self._threads()
        device, precision = self._device(), self.precision
        if precision == "auto":
            precision = "fp32" if device == "cpu" else "tf32"
        if is_emulated(device, precision):
            _say_slow(precision)
        return Machine(device, precision, threads, self.fast)

    def _threads(self) -> int:
        return min(available_cores(), openmp_threads())

    def _device(self) -> str:
        if self.device != "auto":
            return str(device_named(self.device))
        return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def _say_slow(precision: str) -> None:
    """Once a process."""
    log(
        f"--precision {precision}: this processor has no vector instructions for it, "
        "and takes tens of times as long as in fp32"
    )


@cache
def _say_no_gpu() -> None:
    """Once a process."""
    log(
        "--engine ray: cells are computed on CPUs, as this machine has no GPU; --device cuda takes "
        "those of the cluster"
    )


@dataclass(frozen=True)
class WorkerOptions(ComputeOptions):
    """Device, precision, threads and processes."""

    workers: int = 0
    """cells at a time, each in a process of its own; 0: one per core on a CPU, one on a GPU"""

    def check(self) -> None:
        if self.workers < 0:
            raise UsageError(f"--workers {self.workers}: 0 or more")
        super().check()

    def worker_count(self) -> int:
        """How many cells at a time."""
        if self.workers:
            return self.workers
        return 1 if self._device() != "cpu" else available_cores()

    def _threads(self) -> int:
        return super()._threads() if self.worker_count() == 1 else 1


@dataclass(frozen=True)
class TimeLimit:
    """When to stop."""

    max_hours: float = 0.0
    """stop after so long, keeping every finished cell and shard (exit code 75); 0: no limit"""

    def hours(self) -> float:
        """After how many hours to stop; 0 for never."""
        if not 0 <= self.max_hours < MAX_HOURS:
            raise UsageError(f"--max-hours {self.max_hours:g}: 0 or more, under {MAX_HOURS}")
        return self.max_hours


@dataclass(frozen=True)
class RunOptions(TimeLimit, WorkerOptions):
    """Where and how long cells are computed."""

    engine: Literal["local", "ray"] = "local"
    """where cells are computed: processes of this machine, or the nodes of a Ray cluster"""
    address: Annotated[str, optional("ADDRESS")] = ""
    """of the Ray cluster, auto or HOST:PORT of its head; by default one is started here"""
    gpu_share: float = 1.0
    """of a GPU that one cell takes on a Ray cluster; 0.5 lets two cells share one"""
    yes: bool = False
    """start a run at scale paper, which otherwise only prints its plan"""

    def check(self) -> None:
        self.hours()
        self.ray_options()
        super().check()

    def ray_options(self) -> RayOptions | None:
        """The Ray cluster asked for, if any."""
        if self.engine == "local":
            for option, given in (("address", self.address), ("gpu-share", self.gpu_share != 1)):
                if given:
                    raise UsageError(f"--{option} is a Ray cluster's: give --engine ray with it")
            return None
        if self.workers:
            raise UsageError("--workers: a Ray cluster has as many as fit, by --threads and GPUs")
        if not 0 < self.gpu_share <= 1:
            raise UsageError(f"--gpu-share {self.gpu_share:g}: above 0, 1 at most")
        if self.gpu_share != 1 and self._device() == "cpu":
            raise UsageError("--gpu-share: cells are computed on CPUs here, see --device cuda")
        return RayOptions(self.address, self.gpu_share)

    def machine(self) -> Machine:
        found = super().machine()
        if self.engine == "ray" and self.device == "auto" and found.device == "cpu":
            _say_no_gpu()
        return found

    def _threads(self) -> int:
        return super()._threads() if self.engine == "local" else 1


def openmp_threads() -> int:
    """``$OMP_NUM_THREADS``, else any number.

    PyTorch that was started with one OpenMP thread and is told to use more has crashed in backward
    passes ("double free or corruption").
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else sys.maxsize


def available_cores() -> int:
    """The cores this process may use: of the machine, its affinity and its container's quota."""
    import joblib  # a fifth of a second, which `--help` need not wait for

    return int(joblib.cpu_count())
