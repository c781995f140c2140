"""An optimiser's state as named tensors, as a method's `state_dict` has to hold it."""

import torch
from torch import Tensor

from naturalinversion.inversion.optimizers import load_state


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
    for key, tensor in tensors.items():
        if key.startswith(f"{prefix}."):
            number, _, name = key.removeprefix(f"{prefix}.").partition(".")
            state.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    load_state(optimizer, {"state": state, "param_groups": groups})
