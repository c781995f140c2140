"""The weights of a method's loss terms: settings that have the names of the terms."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from naturalinversion.errors import SettingError
from naturalinversion.validation import at_least


def check_weights(settings: Any, names: Sequence[str]) -> None:
    """Raises `SettingError` for a weight below 0, and where all of ``names`` are 0."""
    at_least(0, settings, *names)
    if not any(getattr(settings, name) for name in names):
        raise SettingError(f"{', '.join(names)} are all 0: nothing to minimise")


def weighted_sum(settings: Any, terms: dict[str, Tensor]) -> Tensor:
    """The sum of ``terms``, each times the setting of its name: a scalar."""
    return torch.stack([getattr(settings, name) * term for name, term in terms.items()]).sum()
