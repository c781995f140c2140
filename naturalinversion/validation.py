"""Range checks of hyper-parameters."""

import math
from typing import Any

from naturalinversion.errors import SettingError


def at_least(least: float, settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is smaller, or not finite."""
    for name in names:
        value = getattr(settings, name)
        if not (value >= least and math.isfinite(value)):
            raise SettingError(f"{name} is {value:g}: {least:g} or more")


def above_zero(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is not above zero and finite."""
    for name in names:
        value = getattr(settings, name)
        if not 0 < value < math.inf:
            raise SettingError(f"{name} is {value:g}: above zero")
