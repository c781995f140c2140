"""A method's class by its name, its settings checked, and the synthesizer built from them."""

import hashlib
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.toml_file import validated
from naturalinversion.errors import UsageError
from naturalinversion.named_code import load_object, source_file


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
        found = load_object(name, "--method")
        if not isinstance(found, type) or not hasattr(found, "student_use"):
            raise UsageError(f"--method {name}: not a synthesizer class (docs/adding-a-method.md)")
        return found
    raise UsageError(
        f"unknown method '{name}': one of {', '.join(METHODS)}, or package.module:Class"
    )


def settings_class(name: str) -> type[Any]:
    """The dataclass whose fields are the settings of a method or a reference."""
    return REFERENCES[name] if name in REFERENCES else method_class(name)


def source_sha256(name: str) -> str:
    """That of the file that a method from outside is written in; empty for the suite's own."""
    if name in METHODS:
        return ""
    path = source_file(method_class(name))
    if path is None:
        raise UsageError(f"--method {name}: no file defines it, so edits could not be noticed")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checked_settings(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """All settings of method ``name`` with ``settings`` filled in, types and names checked."""
    cls = settings_class(name)
    try:
        hints = get_type_hints(cls)
        arguments = [(f.name, hints[f.name], f) for f in fields(cls) if f.init]
    except TypeError as error:
        raise UsageError(f"{name}: a method's class must be a dataclass of its settings") from error
    known = {argument for argument, _, _ in arguments}
    if unknown := sorted(set(settings) - known):
        raise UsageError(
            f"{name}.settings.{unknown[0]}: unknown key, one of {', '.join(sorted(known))}"
        )
    specification = []
    for argument, hint, f in arguments:
        if argument in settings:
            specification.append((argument, hint))
        elif f.default is MISSING and f.default_factory is MISSING:
            raise UsageError(f"{name}.settings.{argument}: has no default, give it with --set")
        else:
            default = f.default_factory() if callable(f.default_factory) else f.default
            specification.append((argument, hint, default))  # type: ignore[arg-type]
    struct = msgspec.defstruct(cls.__name__, specification, kw_only=True)
    checked = msgspec.to_builtins(validated(settings, struct, f"{name}.settings"))
    assert isinstance(checked, dict)
    return checked


def build_method(name: str, settings: dict[str, Any]) -> Any:
    """The synthesizer ``name`` (or a reference's settings object) with resolved ``settings``."""
    cls = settings_class(name)
    hints = get_type_hints(cls)
    return cls(**{k: msgspec.convert(v, hints[k], strict=False) for k, v in settings.items()})
