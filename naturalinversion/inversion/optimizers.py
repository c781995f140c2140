"""Optimisers in a step that a device may repeat: on such a device their rates lie there as well."""

from typing import Any

import torch
from torch import Tensor

from naturalinversion.inversion.cuda_graph import supports_capture


def rate_on(device: torch.device, rate: float) -> float | Tensor:
    """A learning rate for an optimiser on ``device`` that `set_rate` is to change."""
    return torch.tensor(rate, device=device) if supports_capture(device) else rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Change the rate of all groups, where a captured step sees it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def state_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The tensors of its state: none before its first step."""
    values = [value for state in optimizer.state.values() for value in state.values()]
    return [value for value in values if isinstance(value, Tensor)]


def load_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Take back a saved state; rates and switches, which depend on the device, stay its own."""
    own = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, settings in zip(optimizer.param_groups, own, strict=True):
        group.update(settings)
