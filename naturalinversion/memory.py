"""Whether a device has the memory that something is about to take."""

import os
from pathlib import Path

import torch

from naturalinversion.errors import MemoryShortError


def require_memory(size: int, what: str, device: torch.device) -> None:
    """Raises `MemoryShortError` where ``device`` has fewer than ``size`` bytes free for ``what``.

    Where that can't be known, nothing is refused.
    """
    free = _free(device)
    if free is not None and size > free:
        raise MemoryShortError(
            f"{what} would take {size / 1e9:,.2f} GB of memory, {free / 1e9:,.2f} GB are free on "
            f"{device}: fewer or smaller batches"
        )


def _free(device: torch.device) -> int | None:
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        (available,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return int(available) * 1024
    except (OSError, ValueError):  # not Linux
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows
        return None
