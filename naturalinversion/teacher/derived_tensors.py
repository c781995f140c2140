"""Tensors derived from a network's weights and cached: when they are stale, how they are updated.

A captured CUDA graph reads cached tensors at fixed addresses, so they are updated in place.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def lasting_tensors() -> Iterator[None]:
    """What is made within can be cached: it has no gradient, and is no inference tensor.

    Autograd refuses to save inference tensors, and they can't be updated in place outside.
    """
    with torch.inference_mode(False), torch.no_grad():
        yield


def tensor_versions(*tensors: Tensor | None) -> tuple[tuple[int, int], ...]:
    """Address and version counter of each: changes with every write but those through ``.data``."""
    return tuple((each.data_ptr(), each._version) for each in tensors if each is not None)


def copied_in_place(cached: Sequence[Tensor | None], fresh: Sequence[Tensor | None]) -> bool:
    """Copy ``fresh`` into the memory of ``cached``, which a captured graph may read.

    False, and nothing is copied, where a shape, type or device differs.
    """
    pairs = list(zip(cached, fresh, strict=True))
    if not all(_compatible(old, new) for old, new in pairs):
        return False
    for old, new in pairs:
        if old is not None and new is not None:
            old.copy_(new)
    return True


def can_cache(device: torch.device) -> bool:
    """False during a capture: what is made then lies in the graph's memory and has no values."""
    return device.type != "cuda" or not torch.cuda.is_current_stream_capturing()


def _compatible(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    same = one.shape == other.shape and one.dtype == other.dtype
    return same and one.device == other.device
