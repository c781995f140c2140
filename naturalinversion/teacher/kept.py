"""What is made of a network's tensors once and kept: when it is old, and where the new one goes."""

from collections.abc import Sequence

import torch
from torch import Tensor


def version(*tensors: Tensor | None) -> tuple[tuple[int, int], ...]:
    """It changes when one is replaced or written to, unless it is through its ``.data``."""
    return tuple((each.data_ptr(), each._version) for each in tensors if each is not None)


def refilled(kept: Sequence[Tensor | None], fresh: Sequence[Tensor | None]) -> bool:
    """Copy ``fresh`` into the memory of ``kept``, which a captured graph may read.

    False, and nothing is copied, where shapes, types or devices have become others.
    """
    pairs = list(zip(kept, fresh, strict=True))
    if not all(_same_place(old, new) for old, new in pairs):
        return False
    for old, new in pairs:
        if old is not None and new is not None:
            old.copy_(new)
    return True


def keepable(device: torch.device) -> bool:
    """Not what is made within a capture: its memory is the graph's, and holds nothing yet."""
    return device.type != "cuda" or not torch.cuda.is_current_stream_capturing()


def _same_place(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    same = one.shape == other.shape and one.dtype == other.dtype
    return same and one.device == other.device
