"""The number formats of forward and backward passes: float32, TF32 or bfloat16."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch

Precision = Literal["fp32", "tf32", "bf16"]


def effective_precision(device: torch.device | str, precision: Precision) -> Precision:
    """The precision that ``device`` computes in when asked for ``precision``: TF32 is for GPUs."""
    if precision == "tf32" and torch.device(device).type != "cuda":
        return "fp32"
    return precision


def is_emulated(device: torch.device | str, precision: Precision) -> bool:
    """Whether PyTorch computes ``precision`` on ``device`` without vector instructions.

    So it does "bf16" on an x86 CPU without AVX-512: tens of times as long as "fp32" takes.
    """
    if precision != "bf16" or torch.device(device).type != "cpu":
        return False
    backends: Any = torch.backends
    if not backends.mkldnn.is_available():
        return False  # not known
    return not torch.ops.mkldnn._is_mkldnn_bf16_supported()


@contextmanager
def compute_in(device: torch.device, precision: Precision) -> Iterator[None]:
    """Compute forward and backward passes in ``precision`` until the end of the block.

    "fp32" disables narrower formats of float32 operations, such as TF32 on a GPU; "bf16" autocasts
    convolutions and matrix products, while weights, losses and batch-norm statistics stay in
    float32. Autocast's own weight cache is off, so that an optimiser may step within the block; a
    teacher's cast weights are cached by `cached_weights`. PyTorch's global switches, whichever of
    its two interfaces set them, are restored afterwards; a CPU's pass leaves those of GPUs alone.
    """
    effective = effective_precision(device, precision)
    in_bf16 = effective == "bf16"
    with (
        _float32_operations(device, narrow=effective != "fp32"),
        torch.autocast(device.type, torch.bfloat16, enabled=in_bf16, cache_enabled=False),
    ):
        yield


@contextmanager
def _float32_operations(device: torch.device, narrow: bool) -> Iterator[None]:
    """Allow a GPU's TF32 if ``narrow``; else disable what is narrower than float32."""
    backends: Any = torch.backends
    if device.type == "cuda":
        switches = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
        every = (*switches, backends.mkldnn.matmul)  # the older interface sets this one as well
        with _restored(every), _restored_allow_tf32() as readable:
            if readable:
                backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = narrow
            else:
                _set(switches, "tf32" if narrow else "ieee")
            yield
        return
    of_cpu = (backends.mkldnn.matmul, backends.mkldnn.conv)
    if narrow or all(switch.fp32_precision in ("none", "ieee") for switch in of_cpu):
        yield
        return
    with _restored(of_cpu):
        _set(of_cpu, "ieee")
        yield


@contextmanager
def _restored_allow_tf32() -> Iterator[bool]:
    """Restore the older switches; False where they can't be read, as the newer ones are in use."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    try:
        before = torch.get_float32_matmul_precision(), matmul.allow_tf32, cudnn.allow_tf32
    except RuntimeError:
        yield False
        return
    try:
        yield True
    finally:
        torch.set_float32_matmul_precision(before[0])  # sets the second as well
        cudnn.allow_tf32 = before[2]


@contextmanager
def _restored(switches: Sequence[Any]) -> Iterator[None]:
    """Restore ``fp32_precision`` of each; one that follows a more general switch does so again."""
    before = [switch.fp32_precision for switch in switches]
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            if switch.fp32_precision == value:
                continue
            switch.fp32_precision = "none"
            if switch.fp32_precision != value:
                switch.fp32_precision = value


def _set(switches: Sequence[Any], value: str) -> None:
    for switch in switches:
        switch.fp32_precision = value
