"""Where a cell is computed: device, precision and threads, PyTorch set up so, and peak memory."""

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.engine.signals import held_while_spawning
from naturalinversion.errors import UsageError
from naturalinversion.precision import Precision

DEVICES = ("cpu", "cuda")
_SELF = Path("/proc/self")


@dataclass(frozen=True)
class Machine:
    """Where and how to compute; part of a record's provenance, not of a cell's key.

    ``fast`` lets a GPU's libraries choose their algorithms by timing them.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    threads: int = 1
    fast: bool = False

    def torch_device(self) -> torch.device:
        """The device, checked. Raises `UsageError` when it is not there."""
        device = device_named(self.device)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise UsageError(f"--device {self.device}: no CUDA device on this machine")
        if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
            raise UsageError(f"--device {self.device}: this machine's last is cuda:{count - 1}")
        return device

    def is_deterministic(self) -> bool:
        """Whether the same command gives the same bytes again here, as far as PyTorch promises."""
        return not (self.fast and self.torch_device().type == "cuda")


def device_named(name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:1`` …, whether it is there or not; there is one CPU, ``cpu:0``.

    Raises `UsageError` for what is no device, or one that nothing here is made for.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device {name}: {str(error).splitlines()[0]}") from error
    if device.type not in DEVICES or (device.type == "cpu" and device.index):
        raise UsageError(f"--device {name}: cpu, cuda, or cuda:1 …")
    return torch.device("cpu") if device.type == "cpu" else device


def set_up_torch(machine: Machine) -> torch.device:
    """Compute as ``machine`` says, for the rest of this process; its device, checked.

    PyTorch would fill all memory that it takes with NaN to make a read of it show: not here, as
    each filling is one more kernel of a step. Raises `UsageError` when the device is not there.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when a GPU is first used
    device = machine.torch_device()
    torch.set_num_threads(machine.threads)
    with held_while_spawning():  # imports Triton, whose native part a signal would abort
        torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = machine.fast  # on a GPU only
    torch.backends.cuda.matmul.allow_tf32 = machine.precision != "fp32"
    torch.backends.cudnn.allow_tf32 = machine.precision != "fp32"
    return device


def release_cached_memory() -> None:
    """Return a GPU's unused memory to the driver: another process may need it.

    The memory pools of captured steps that no longer exist are returned as well.
    """
    torch.cuda.empty_cache()


def reset_peak_memory(device: torch.device) -> None:
    """Start measuring the peak anew.

    On a CPU only Linux can do so: elsewhere the peak is that of the process's whole life.
    """
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # else it knows no device but the first
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        return


def peak_memory(device: torch.device) -> float:
    """The device's peak, on a CPU the process's, in 1e6 bytes since `reset_peak_memory`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        lines = (_SELF / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1.024e-3
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
