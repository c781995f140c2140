"""Checks of hyper-parameters: types, ranges and choices."""

import inspect
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache
from textwrap import shorten
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from naturalinversion.errors import NaturalInversionError, SettingError

SHOWN = 60  # characters of a value in an error's line


def typed(settings: Any) -> None:
    """Raises `SettingError` naming the first field of a dataclass that is not of its type.

    A whole number is a number, NumPy's are Python's, and a sequence may stand for a tuple.
    """
    hints = _hints(type(settings))  # type: ignore[arg-type]  # a class is hashable
    for name in (f.name for f in fields(settings) if f.init and f.name in hints):
        value, hint = getattr(settings, name), hints[name]
        if _fits(value, hint) or _fits(_builtin(value), hint):
            continue
        if get_origin(hint) is Literal:
            one_of(hint, settings, name)
        raise SettingError(f"{name} is {shown(value)}, not {inspect.formatannotation(hint)}")


@lru_cache(maxsize=256)  # a table builds its methods for every cell
def _hints(cls: type) -> dict[str, Any]:
    """The types of fields by name; of the base classes alone where some can't be looked up."""
    for base in cls.__mro__:
        try:
            return get_type_hints(base)
        except NameError:  # of a class in a function, or imported for type checkers only
            continue
    return {}


def _fits(value: Any, hint: Any) -> bool:
    try:
        msgspec.convert(value, hint)
    except msgspec.ValidationError:
        return False
    except TypeError:  # a type that is none of msgspec's
        return True
    return True


def _builtin(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return _builtin(value.tolist()) if value.ndim else value.item()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(map(_builtin, value))
    return value


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
    _require(settings, names, lambda value: least <= value <= most, f"{least:g} to {most:g}")


def finite(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is infinite or no number."""
    _require(settings, names, math.isfinite, "a finite number")


def at_least(least: float, settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is smaller, or not finite."""
    _require(settings, names, lambda value: least <= value < math.inf, f"{least:g} or more")


def below_one(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is below zero, or one or more."""
    _require(settings, names, lambda value: 0 <= value < 1, "0 or more, below 1")


def above_zero(settings: Any, *names: str) -> None:
    """Raises `SettingError` naming the first of ``names`` that is not above zero and finite."""
    _require(settings, names, lambda value: 0 < value < math.inf, "above zero")


def _require(
    settings: Any, names: Sequence[str], holds: Callable[[float], bool], what: str
) -> None:
    for name in names:
        value = getattr(settings, name)
        if not holds(value):
            raise SettingError(f"{name} is {value:g}: {what}")
