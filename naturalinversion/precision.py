"""The number formats of forward and backward passes: float32, TF32 or bfloat16."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["fp32", "tf32", "bf16"]


def effective_precision(device: torch.device | str, precision: Precision) -> Precision:
    """The precision that ``device`` computes in when asked for ``precision``: TF32 is for GPUs."""
    if precision == "tf32" and torch.device(device).type != "cuda":
        return "fp32"
    return precision


@contextmanager
def compute_in(device: torch.device, precision: Precision) -> Iterator[None]:
    """Compute forward and backward passes in ``precision`` until the end of the block.

    "fp32" disables TF32 on a GPU; "bf16" autocasts convolutions and matrix products, while weights,
    losses and batch-norm statistics stay in float32. Autocast's own weight cache is off, so that an
    optimiser may step within the block; a teacher's cast weights are cached by `cached_weights`.
    PyTorch's global switches for TF32 are restored afterwards.
    """
    effective = effective_precision(device, precision)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = effective != "fp32"
    try:
        in_bf16 = effective == "bf16"
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16, cache_enabled=False):
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
