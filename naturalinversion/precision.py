"""The number formats that a network is computed in: float32, TF32 or bfloat16."""

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
    """Passes and their gradients in ``precision``.

    "fp32" keeps a GPU from rounding to TF32, "bf16" autocasts: only convolutions and matrix
    products round; weights, losses and the statistics of batch norms stay in float32. Autocast
    keeps no rounded weight: an optimiser may step within. Those of a teacher are kept by
    `cached_weights`. PyTorch's switches for TF32 are global; they are put back afterwards.
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
