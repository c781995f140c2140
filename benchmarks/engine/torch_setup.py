"""How this process computes: threads, numbers, and the same ones every time."""

import os

import torch

from benchmarks.engine.context import Machine


def set_up_torch(machine: Machine) -> torch.device:
    """Compute as ``machine`` says, for the rest of this process; its device, checked.

    PyTorch would fill all memory that it takes with NaN to make a read of it show: not here, as
    each filling is one more kernel of a step. Raises `UsageError` when the device is not there.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when a GPU is first used
    device = machine.torch_device()
    torch.set_num_threads(machine.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = machine.fast  # on a GPU only
    torch.backends.cuda.matmul.allow_tf32 = machine.precision != "fp32"
    torch.backends.cudnn.allow_tf32 = machine.precision != "fp32"
    return device
