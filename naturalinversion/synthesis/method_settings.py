"""What a set of images depends on besides teacher and seed: a method's settings, code and student.

Everything here ends in JSON and is the same in every process, so that two runs can be compared.
"""

import enum
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from naturalinversion.digest import update_by_tensor, weights_digest
from naturalinversion.errors import SettingError
from naturalinversion.synthesis.code_digest import class_code, function_parts

OURS = {"naturalinversion", "baselines"}  # the suite's own packages: their code is no part of a run
_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)
_NO_CODE = {"abc", "builtins", "typing", "torch"}


def settings_of(synthesizer: Any, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The hyper-parameters of a method, and those that the caller has ``given`` by name.

    They are the fields of its dataclass, or the constructor's arguments that it keeps under their
    own names. Raises `SettingError` for an argument that can't be read back and isn't ``given``.
    """
    cls = type(synthesizer)
    found = {}
    if is_dataclass(synthesizer):
        found = {f.name: getattr(synthesizer, f.name) for f in fields(synthesizer) if f.init}
    for name, parameter in _arguments(cls).items():
        kept = next((n for n in (name, f"_{name}") if hasattr(synthesizer, n)), None)
        if kept is not None and parameter.kind is not parameter.VAR_KEYWORD:
            found[name] = getattr(synthesizer, kept)
        elif given is None:
            raise SettingError(
                f"{cls.__name__} takes '{name}' and keeps no attribute of that name, so images of "
                "other settings could not be told apart: make it a dataclass, or pass "
                "settings={…} to synthesize"
            )
    return {name: plain(value) for name, value in {**found, **(given or {})}.items()}


def source_of(synthesizer: Any) -> str:
    """sha256 of the files that define a method from outside, its base classes' too; empty for ours.

    Of a class in a script or a notebook it is the class's own text: the rest of such a file says
    how many batches are asked for, and may change.
    """
    digest, found = hashlib.sha256(), False
    for cls in type(synthesizer).__mro__:
        if _package(cls) in OURS | _NO_CODE:
            continue
        digest.update(class_code(cls))
        found = True
    return digest.hexdigest() if found else ""


def plain(value: Any, around: tuple[int, ...] = ()) -> Any:
    """A setting as JSON can hold it; large or foreign values become a digest or a name.

    ``around`` are the objects that hold it, by id: one that holds itself ends there.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if np.isfinite(number) else str(number)  # JSON has neither inf nor nan
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Tensor | np.ndarray):
        tensor = torch.as_tensor(value)
        return f"{tensor.dtype} {list(tensor.shape)} {_short(tensor)}"
    if isinstance(value, Path):
        return str(value)
    if id(value) in around:
        return type(value).__name__
    part = partial(plain, around=(*around, id(value)))
    if isinstance(value, nn.Module):
        shown = _digest(_ADDRESS.sub("", repr(value)))
        return f"{type(value).__name__} {weights_digest(value)[:12]} {shown}"
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: part(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, Mapping):
        return {str(name): part(one) for name, one in value.items()}
    if isinstance(value, Set):
        return sorted(map(part, value), key=repr)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [part(one) for one in value]
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        parts = [] if _package(value) in OURS | _NO_CODE else part(function_parts(value))
        name = f"{value.__module__}.{value.__qualname__}"
        return f"{name} {_digest(repr(parts))}" if parts else name
    return _foreign(value, part)


def _foreign(value: Any, part: Callable[[Any], Any]) -> Any:
    """An object of somebody's class: as it shows itself, or its type and its public attributes."""
    shown = repr(value)
    if f"{id(value):x}" not in shown.lower() and not _ADDRESS.search(shown):
        return shown
    if isinstance(value, partial):
        return part({"function": value.func, "args": value.args, "keywords": value.keywords})
    # An address is another one in the next process.
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    kept = {n: v for n, v in getattr(value, "__dict__", {}).items() if not n.startswith("_")}
    return {name: part(kept)} if kept else name


def _arguments(cls: type) -> dict[str, inspect.Parameter]:
    """Those of a constructor that somebody wrote; a dataclass's own takes its fields."""
    defining = next(base for base in cls.__mro__ if "__init__" in vars(base))
    initialise = vars(defining)["__init__"]
    generated = vars(defining).get("__dataclass_params__")
    if defining is object or initialise.__module__ == "typing" or (generated and generated.init):
        return {}
    return dict(list(inspect.signature(initialise).parameters.items())[1:])  # without self


def _package(value: Any) -> str:
    return str(value.__module__).partition(".")[0]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _short(tensor: Tensor) -> str:
    digest = hashlib.sha256()
    update_by_tensor(digest, tensor)
    return digest.hexdigest()[:12]
