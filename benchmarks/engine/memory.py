"""The most memory that was held at a time: the device's, or on a CPU the process's."""

import resource
import sys
from pathlib import Path

import torch

_SELF = Path("/proc/self")


def give_back() -> None:
    """To the GPU, if one is in use, what nobody holds any more: another process may need it.

    What a captured step worked in is not used again before.
    """
    torch.cuda.empty_cache()


def forget_peak(device: torch.device) -> None:
    """Begin anew. A process can do so on Linux only: elsewhere its peak is that of all its life."""
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # else it knows no device but the first
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        (_SELF / "clear_refs").write_text("5")
    except OSError:
        return


def peak_memory(device: torch.device) -> float:
    """The peak in 1e6 bytes since `forget_peak`."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        lines = (_SELF / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1.024e-3
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
