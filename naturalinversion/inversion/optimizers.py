"""Optimisers whose steps can be captured: on a GPU their learning rates are tensors on it."""

from typing import Any

import torch
from torch import Tensor

from naturalinversion.inversion.cuda_graph import supports_capture


def rate_on(device: torch.device, rate: float) -> float | Tensor:
    """``rate`` as an optimiser on ``device`` takes it, so that `set_rate` can change it."""
    return torch.tensor(rate, device=device) if supports_capture(device) else rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups, in place where a captured step reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def state_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The tensors of its state; none before its first step."""
    values = [value for state in optimizer.state.values() for value in state.values()]
    return [value for value in values if isinstance(value, Tensor)]


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load a copy of a saved state, but keep learning rates and options: those of the device.

    Moments lie in memory as their weights do, whichever way they were saved: multi-tensor kernels
    take no others.
    """
    options = [
        {k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(saved)
    for group, kept in zip(optimizer.param_groups, options, strict=True):
        group.update(kept)
    for weight, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                like = weight if value.shape == weight.shape else value
                place = torch.empty_like(like, dtype=value.dtype, device=value.device)
                state[name] = place.copy_(value)
