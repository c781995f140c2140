"""Checks of hyper-parameters: types, ranges and choices."""

import math
import operator
from textwrap import shorten
from typing import Any, get_args

from naturalinversion.errors import NaturalInversionError, SettingError

SHOWN = 60  # characters of a value in an error's line


def whole(name: str, value: Any, error: type[NaturalInversionError] = SettingError) -> int:
    """``value`` as Python's int, NumPy's or a tensor of one as well; raises ``error`` otherwise."""
    try:
        return operator.index(value)
    except TypeError:
        raise error(f"{name} is {shown(value)}: a whole number") from None


def shown(value: Any) -> str:
    """A value that was given, on one line."""
    return shorten(repr(value), SHOWN, placeholder="…")


def one_of(
    choices: Any,
    settings: Any,
    *names: str,
    error: type[NaturalInversionError] = SettingError,
) -> None:
    """Raises ``error`` naming the first of ``names`` that is none of ``choices``, a `Literal`."""
    known = get_args(choices)
    for name in names:
        value = getattr(settings, name)
        if value not in known:
            raise error(f"{name} is {value!r}: one of {', '.join(known)}")


def within(least: float, most: float, settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` outside ``least`` to ``most``."""
    for name in names:
        value = getattr(settings, name)
        if not least <= value <= most:
            raise SettingError(f"{name} is {value:g}: {least:g} to {most:g}")


def finite(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is infinite or no number."""
    for name in names:
        value = getattr(settings, name)
        if not math.isfinite(value):
            raise SettingError(f"{name} is {value:g}: a finite number")


def at_least(least: float, settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is smaller, or not finite."""
    for name in names:
        value = getattr(settings, name)
        if not (value >= least and math.isfinite(value)):
            raise SettingError(f"{name} is {value:g}: {least:g} or more")


def below_one(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is below zero, or one or more."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise SettingError(f"{name} is {value:g}: 0 or more, below 1")


def above_zero(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is not above zero and finite."""
    for name in names:
        value = getattr(settings, name)
        if not 0 < value < math.inf:
            raise SettingError(f"{name} is {value:g}: above zero")
