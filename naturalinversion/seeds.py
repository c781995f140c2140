"""Seeds: one integer per (run, purpose, batch), and module initialisation that is reproducible.

Draws come from generators of their own, so batch ``k`` is the same whether it is made alone or
after others, on any machine and in any order. Only `seeded` uses the global random state, which all
threads share.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def derive(seed: int, *path: int | str) -> int:
    """A 63-bit seed for the purpose ``path`` under ``seed``, e.g. ``derive(0, "batch", 7)``.

    Paths that differ only in zeros at their end have the same seed, as NumPy's `SeedSequence` pads
    with zeros: use paths of one length for a purpose.
    """
    entropy = [seed] + [_number(part) for part in path]
    high, low = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
    return (int(high) << 31) ^ int(low)


def generator(seed: int) -> torch.Generator:
    """A CPU generator: draws are made on the host, so that they are the same for all devices."""
    return torch.Generator().manual_seed(seed)


def to_device(drawn: Tensor, device: torch.device) -> Tensor:
    """A non-blocking copy of a host draw on ``device``; the draw itself where it is there."""
    if device.type == "cuda" and not drawn.is_cuda:
        drawn = drawn.pin_memory()
    return drawn.to(device, non_blocking=True)


def refill(target: Tensor, drawn: Tensor) -> None:
    """Copy a host draw into ``target``, a tensor that a captured step reads, without blocking.

    Every call copies from its own pinned memory, freed after the copy. Raises `ValueError` where
    the shapes differ.
    """
    if target.shape != drawn.shape:
        raise ValueError(
            f"the step reads a tensor {tuple(target.shape)}, the draw is {tuple(drawn.shape)}"
        )
    if target.is_cuda and not drawn.is_cuda:
        drawn = drawn.pin_memory()
    target.copy_(drawn, non_blocking=True)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global random state until the end of the block, and restore it afterwards.

    It is that of the CPU and, once CUDA is in use, of its devices. `torch.manual_seed` would seed
    all other devices as well, for good, and replace the seed that a caller has given a GPU which
    is not in use yet.

    Another thread that draws from the global state meanwhile changes what the block draws, and
    draws from this seed itself: keep such threads out of it.
    """
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    devices = range(torch.cuda.device_count() if in_use else 0)
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if in_use:
            torch.cuda.manual_seed_all(seed)
        yield


def _number(part: int | str) -> int:
    if isinstance(part, int):
        return part
    return int.from_bytes(hashlib.sha256(part.encode()).digest()[:8], "big")
