"""Recipes: frozen, typed hyper-parameters, read from TOML and resolved for one scale and data set.

A recipe file is a list of layers. Each layer says for which scale, data set or teacher it holds and
what it sets; later layers win. Command-line overrides (``--set di.settings.iterations=50``) come
last. Unknown keys and wrong types are errors wherever they come from.
"""

import copy
import hashlib
import inspect
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.imports import load_object
from benchmarks.recipes.schema import BatchSize, Positive, Protocol
from benchmarks.recipes.toml_file import read_toml
from benchmarks.training.recipe import TrainingRecipe
from naturalinversion.errors import SettingError, UsageError

FOLDER = Path(__file__).parent
SCALES = ("demo", "mini", "paper")
DESCRIPTIVE = ("method", "title", "source", "assumed")
DATASETS = ("digits", "cifar10", "cifar100")

S = TypeVar("S", bound=msgspec.Struct)


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set`` holds where every selector given agrees; ``teacher`` may name several."""

    set: dict[str, Any]
    scale: str = ""
    dataset: str = ""
    teacher: str | list[str] = ""

    def holds(self, scale: str, dataset: str, teacher: str) -> bool:
        return (
            self.scale in ("", scale)
            and self.dataset in ("", dataset)
            and (not self.teacher or teacher in _listed(self.teacher))
        )


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``assumed`` maps a key that nobody published to why it has its value."""

    layer: list[Layer]
    title: str = ""
    source: str = ""
    assumed: dict[str, str] = {}


class Rounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How images and student alternate for a method that competes with the student.

    The first ``start_batches`` of the images of method ``start`` train a first student; then
    ``rounds`` times new images are made against the student and the student goes on on all of them.
    """

    start: str
    start_batches: Positive
    rounds: Positive
    student: TrainingRecipe


class MethodRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data-free method and its budget of images; ``settings`` are its constructor's arguments."""

    method: str
    title: str
    batches: Positive
    batch_size: BatchSize
    settings: dict[str, Any] = {}
    rounds: Rounds | None = None
    assumed: dict[str, str] = {}

    @property
    def images(self) -> int:
        return self.batches * self.batch_size


class Book:
    """Every recipe for one scale and data set, with the overrides of this command.

    ``weights`` are files of classifiers that are read in place of trained, by architecture.
    """

    def __init__(
        self,
        scale: str,
        dataset: str,
        overrides: Sequence[str] = (),
        weights: Mapping[str, Path] | None = None,
    ) -> None:
        if scale not in SCALES:
            raise UsageError(f"unknown scale '{scale}': one of {', '.join(SCALES)}")
        if dataset not in DATASETS and not dataset.startswith("imagefolder:"):
            known_data = ", ".join(DATASETS)
            raise UsageError(f"unknown data set '{dataset}': {known_data}, or imagefolder:PATH")
        self.scale = scale
        self.dataset = dataset
        self.weights = dict(weights or {})
        self.given = [*overrides, *(f"weights of {arch}" for arch in self.weights)]
        self.overrides = [_parse_override(text) for text in overrides]
        known = {"protocol", *METHODS, *REFERENCES}
        for name, path, _ in self.overrides:
            if name not in known and ":" not in name:
                raise UsageError(
                    f"--set {name}.…: no recipe of that name, one of {', '.join(sorted(known))}"
                )
            if path[0] in DESCRIPTIVE:
                raise UsageError(f"--set {name}.{path[0]}: describes the recipe, sets nothing")
        for name in {name for name, _, _ in self.overrides}:  # wrong keys are errors, used or not
            self.protocol() if name == "protocol" else self.method(name)

    def varied(self, protocol: Mapping[str, Any]) -> "Book":
        """The same with other values in the protocol, by keys with dots in them."""
        if not protocol:
            return self
        if self.weights and any(key.startswith("classifier.") for key in protocol):
            raise UsageError("--weights: a row of this table trains its teacher in another way")
        other = copy.copy(self)
        more = [("protocol", key.split("."), value) for key, value in protocol.items()]
        other.overrides = [*self.overrides, *more]
        other.protocol()  # a wrong key is an error now
        return other

    def protocol(self, teacher: str = "") -> Protocol:
        """The shared protocol; a teacher's architecture may have layers of its own."""
        file = _read(FOLDER / "protocol.toml")
        values = self._resolve("protocol", file, teacher)
        return _convert(values | {"assumed": file.assumed}, Protocol, "protocol")

    def method(
        self, name: str, teacher: str = "", variant: Mapping[str, Any] | None = None
    ) -> MethodRecipe:
        """The recipe of ``name``: a method, a reference, or ``package.module:Class``.

        ``variant`` are settings that a table turns on its own, such as an ablation's switches.
        """
        cls = _settings_class(name)
        own = name in METHODS or name in REFERENCES
        file = _read(FOLDER / f"{name}.toml") if own else RecipeFile(layer=[], title=cls.__name__)
        protocol = self.protocol(teacher)
        budget = {"batches": protocol.batches, "batch_size": protocol.batch_size}
        values = budget | self._resolve(name, file, teacher)
        values |= {"method": name, "title": file.title or name, "assumed": file.assumed}
        recipe = _convert(values, MethodRecipe, name)
        settings = checked_settings(cls, recipe.settings | dict(variant or {}), name)
        try:
            build_method(name, settings)  # what the method refuses is refused now, not hours later
        except SettingError as error:
            raise UsageError(f"recipe {name}: {error}") from error
        return msgspec.structs.replace(recipe, settings=settings)

    def _resolve(self, name: str, file: RecipeFile, teacher: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for layer in file.layer:
            if layer.holds(self.scale, self.dataset, teacher):
                _merge(values, layer.set)
        for target, path, value in self.overrides:
            if target == name:
                _merge(values, _nest(path, value))
        return values


def method_class(name: str) -> type[Any]:
    """The synthesizer class behind a method's name."""
    if name in METHODS:
        return METHODS[name]
    if ":" in name:
        found = load_object(name, "--method")
        if not isinstance(found, type) or not hasattr(found, "student_use"):
            raise UsageError(f"--method {name}: not a synthesizer class (docs/adding-a-method.md)")
        return found
    raise UsageError(
        f"unknown method '{name}': one of {', '.join(METHODS)}, or package.module:Class"
    )


def _settings_class(name: str) -> type[Any]:
    """The dataclass whose fields are the settings of a method or a reference."""
    return REFERENCES[name] if name in REFERENCES else method_class(name)


def source_of(name: str) -> str:
    """sha256 of the file that a method from outside is written in; empty for the suite's own."""
    if name in METHODS:
        return ""
    return hashlib.sha256(Path(inspect.getfile(method_class(name))).read_bytes()).hexdigest()


def checked_settings(cls: type[Any], settings: dict[str, Any], name: str) -> dict[str, Any]:
    """All constructor arguments of ``cls`` with ``settings`` filled in, types and names checked."""
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
    resolved = msgspec.to_builtins(_convert(settings, struct, f"{name}.settings"))
    assert isinstance(resolved, dict)
    return resolved


def build_method(name: str, settings: dict[str, Any]) -> Any:
    """The synthesizer ``name`` (or a reference's settings object) with resolved ``settings``."""
    cls = _settings_class(name)
    hints = get_type_hints(cls)
    return cls(**{k: msgspec.convert(v, hints[k], strict=False) for k, v in settings.items()})


@cache
def _read(path: Path) -> RecipeFile:
    """Read once: a command asks for each file often."""
    return read_toml(path, RecipeFile)


def _convert(values: dict[str, Any], struct: type[S], name: str) -> S:
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        raise UsageError(f"recipe {name}: {error}") from error


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)  # a file is read once: nothing may be merged into it


def _parse_override(text: str) -> tuple[str, list[str], Any]:
    """``name.key.key=value`` to name, path and value; the value is TOML, or a bare word."""
    head, equals, value = text.partition("=")
    prefix, colon, rest = head.partition(":")
    first, *path = rest.split(".") if colon else prefix.split(".")
    name = f"{prefix}:{first}" if colon else first
    if not equals or not path or not all(path):
        raise UsageError(f"--set {text}: write recipe.key=value, e.g. di.settings.iterations=50")
    try:
        return name, path, tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return name, path, value


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _nest(path: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value
