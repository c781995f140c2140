"""Seeds: one integer per (run, purpose, batch), and module initialisation that is reproducible.

Nothing here reads or moves the global random state, so batch ``k`` alone equals batch ``k`` after
batch ``k - 1``, on any machine and in any order.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def derive(seed: int, *path: int | str) -> int:
    """A 63-bit seed for the place ``path`` under ``seed``, e.g. ``derive(0, "batch", 7)``."""
    entropy = [seed] + [_number(part) for part in path]
    high, low = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
    return (int(high) << 31) ^ int(low)


def generator(seed: int) -> torch.Generator:
    """A CPU generator: draws are made on the host, so that every device sees the same ones."""
    return torch.Generator().manual_seed(seed)


def to_device(drawn: Tensor, device: torch.device) -> Tensor:
    """A copy of a host draw on ``device``; a GPU is not waited for."""
    if device.type == "cuda":
        drawn = drawn.pin_memory()
    return drawn.to(device, non_blocking=True)


def refill(place: Tensor, drawn: Tensor) -> None:
    """Copy a host draw into ``place``, a tensor that a captured step reads; no GPU is waited for.

    Every call copies from pinned memory of its own, freed once it has been read. Raises
    `ValueError` where the shapes differ.
    """
    if place.shape != drawn.shape:
        raise ValueError(f"a step works on {tuple(place.shape)}, drawn were {tuple(drawn.shape)}")
    if place.is_cuda and not drawn.is_cuda:
        drawn = drawn.pin_memory()
    place.copy_(drawn, non_blocking=True)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run constructors or dropout under ``seed`` and give the global state back afterwards."""
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count() if in_use else 0)
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _number(part: int | str) -> int:
    if isinstance(part, int):
        return part
    return int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], "big")
