"""States as named tensors under prefixes, as a method's `state_dict` has to hold them."""

import torch
from torch import Tensor

from naturalinversion.inversion.optimizers import load_optimizer


def part(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under ``prefix``, without it."""
    start = f"{prefix}."
    return {n.removeprefix(start): tensor for n, tensor in state.items() if n.startswith(start)}


def tensors_of(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """``<prefix>.<number of the parameter>.<name>``; empty before its first step."""
    found = {}
    for number, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                found[f"{prefix}.{number}.{name}"] = value
    return found


def load_tensors(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str) -> None:
    """Take back what `tensors_of` gave; learning rates stay as they are."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in part(tensors, prefix).items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    load_optimizer(optimizer, {"state": state, "param_groups": groups})
