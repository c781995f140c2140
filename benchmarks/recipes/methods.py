"""A method's class by its name, its settings checked, and the synthesizer built from them."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from functools import lru_cache
from typing import Any, get_args, get_type_hints

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.toml_file import one_line, validated
from naturalinversion.errors import NaturalInversionError, UsageError
from naturalinversion.named_code import (
    class_files,
    load_object,
    raised,
    source_file,
    sources_sha256,
)
from naturalinversion.synthesis import StudentUse
from naturalinversion.validation import shown

KNOWN = ("baselines", "benchmarks", "naturalinversion", "torch")  # whose classes aren't somebody's


def split_name(name: str) -> tuple[str, str]:
    """A method and the variant of its recipe: ``di-paper`` is di's variant paper."""
    if ":" in name:
        return name, ""
    method, _, variant = name.partition("-")
    return method, variant


def method_class(name: str) -> type[Any]:
    """The synthesizer class of a method of the suite, or ``package.module:Class``.

    The variants of its recipe have the same one.
    """
    method, _ = split_name(name)
    if method in METHODS:
        return METHODS[method]
    if ":" in name:
        found = load_object(name, "method")
        if not isinstance(found, type) or not hasattr(found, "student_use"):
            raise UsageError(f"method {name}: not a synthesizer class (docs/adding-a-method.md)")
        if found.student_use not in get_args(StudentUse):
            raise UsageError(
                f"method {name}: student_use is {shown(found.student_use)}: one of "
                f"{', '.join(get_args(StudentUse))}"
            )
        return found
    raise UsageError(
        f"unknown method '{name}': one of {', '.join(METHODS)}, or package.module:Class"
    )


def settings_class(name: str) -> type[Any]:
    """The dataclass whose fields are the settings of a method or a reference."""
    return REFERENCES[name] if name in REFERENCES else method_class(name)


def source_sha256(name: str) -> str:
    """That of the file that a method from outside is written in, or one of several files where
    somebody's own base classes lie in others; empty for the suite's own.
    """
    if name in METHODS:
        return ""
    cls = method_class(name)
    own = source_file(cls)
    if own is None:
        raise UsageError(f"method {name}: no file defines it, so edits could not be noticed")
    if others := class_files(cls, KNOWN) - {own}:
        return sources_sha256([own, *others])
    return hashlib.sha256(own.read_bytes()).hexdigest()


def checked_settings(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """All settings of method ``name`` with ``settings`` filled in, types and names checked.

    They are plain values, as a recipe holds them.
    """
    known = _known_settings(name)
    types = {argument: _type_of(name, argument) for argument in known}
    if unknown := sorted(set(settings) - set(known)):
        raise UsageError(
            f"{name}.settings.{unknown[0]}: unknown key, one of {', '.join(sorted(known))}"
        )
    given = _given(name, settings, types)
    complete = {}
    for argument, f in known.items():
        value = getattr(given, argument) if argument in settings else _default(name, f)
        complete[argument] = _plain(f"{name}.settings.{argument}", value)
    return complete


def build_method(name: str, settings: dict[str, Any]) -> Any:
    """The synthesizer ``name`` (or a reference's settings object) with resolved ``settings``.

    Raises `UsageError` for what a class from outside raises.
    """
    types = {argument: _type_of(name, argument) for argument in settings}
    with _somebodys(name):
        arguments = {k: msgspec.convert(v, types[k], strict=False) for k, v in settings.items()}
        return settings_class(name)(**arguments)


@contextmanager
def _somebodys(name: str) -> Iterator[None]:
    """What the code of a method from outside raises is one line; a fault of ours stays one."""
    try:
        yield
    except NaturalInversionError:
        raise
    except (Exception, SystemExit) as error:
        if ":" not in name:
            raise
        raise UsageError(f"{name}: {raised(error)}") from error


def _known_settings(name: str) -> dict[str, Field[Any]]:
    """The fields of a method's dataclass that its constructor takes."""
    try:
        return {f.name: f for f in fields(settings_class(name)) if f.init}
    except TypeError as error:
        raise UsageError(f"{name}: a method's class must be a dataclass of its settings") from error


def _type_of(name: str, argument: str) -> Any:
    """That of one setting: the types of other fields may be imported for type checkers only."""
    cls = settings_class(name)
    try:
        return _annotation(cls, argument)  # type: ignore[arg-type]  # a class is hashable
    except Exception as error:  # whatever somebody wrote there
        raise UsageError(
            f"{name}.settings.{argument}: its type can't be looked up: {one_line(error)}"
        ) from error


@lru_cache(maxsize=1024)  # a table asks for each again with every cell
def _annotation(cls: type[Any], argument: str) -> Any:
    f = cls.__dataclass_fields__[argument]
    owner = next(base for base in reversed(cls.__mro__) if _own_fields(base).get(argument) is f)
    alone = type(owner.__name__, (), {"__annotations__": {argument: f.type}})
    names = vars(sys.modules[owner.__module__])
    return get_type_hints(alone, dict(vars(owner)), names)[argument]


def _own_fields(cls: type) -> dict[str, Field[Any]]:
    found: dict[str, Field[Any]] = vars(cls).get("__dataclass_fields__", {})
    return found


def _given(name: str, settings: dict[str, Any], types: dict[str, Any]) -> msgspec.Struct:
    """The values of ``settings`` as their types; all ``types`` must be such as can be checked."""
    optional = [(k, t) if k in settings else (k, t, None) for k, t in types.items()]
    struct = msgspec.defstruct("Settings", optional, kw_only=True)
    try:
        return validated(settings, struct, f"{name}.settings")
    except TypeError as error:
        raise UsageError(f"{name}.settings: {one_line(error)}") from error


def _default(name: str, f: Field[Any]) -> Any:
    if f.default is not MISSING:
        return f.default
    if f.default_factory is MISSING:
        raise UsageError(f"{name}.settings.{f.name}: has no default, give it with --set")
    with _somebodys(name):
        return f.default_factory()


def _plain(where: str, value: Any) -> Any:
    """``value`` as JSON can hold it, but for tuples. Raises `UsageError` where it can't."""
    try:
        found = msgspec.to_builtins(value)
        msgspec.json.encode(found)
    except Exception as error:  # whatever somebody's object raises
        raise UsageError(
            f"{where}: a recipe can't hold {shown(value)}: {one_line(error)}"
        ) from error
    return found
