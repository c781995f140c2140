"""Recipes: frozen, typed hyper-parameters, read from TOML and resolved for one scale and data set.

The overrides of a recipe's file (`recipe_file`) come first, then those of the command line
(``--set di.settings.iterations=50``), and a table's own changes to the protocol last; later ones
win. Unknown keys and wrong types are errors wherever they come from.
"""

import copy
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.methods import build_method, checked_settings, settings_class, split_name
from benchmarks.recipes.recipe_file import (
    DATASETS,
    DESCRIPTIVE,
    SCALES,
    Override,
    RecipeFile,
    Where,
    read_recipes,
)
from benchmarks.recipes.schema import MethodRecipe, Protocol
from benchmarks.recipes.toml_file import read_toml, validated
from naturalinversion.classifiers.outside import plain_name
from naturalinversion.errors import SettingError, UsageError

FOLDER = Path(__file__).parent
Overrides = Sequence[tuple[str, Override]]  # by the recipe's name


class Recipes:
    """Every recipe for one scale and data set, with the overrides of this command.

    ``weights`` are files of classifiers that are read in place of trained, by architecture;
    ``files`` are recipes of methods from outside. ``set_by_hand`` says what the command changed.
    """

    def __init__(
        self,
        scale: str,
        dataset: str,
        overrides: Sequence[str] = (),
        weights: Mapping[str, Path] | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        if scale not in SCALES:
            raise UsageError(f"unknown scale '{scale}': one of {', '.join(SCALES)}")
        if dataset not in DATASETS and not dataset.startswith("imagefolder:"):
            known_data = ", ".join(DATASETS)
            raise UsageError(f"unknown data set '{dataset}': {known_data}, or imagefolder:PATH")
        if scale == "small" and dataset == "digits":
            raise UsageError(
                "scale small is for cifar10, cifar100 or imagefolder:PATH, images of "
                "32x32: digits has scale demo"
            )
        self.scale = scale
        self.dataset = dataset
        self.weights = dict(weights or {})
        given = [f"weights of {plain_name(arch)}" for arch in self.weights]
        self.set_by_hand = [*overrides, *given]
        self.files = read_recipes(files)
        self.told_apart: frozenset[str] = frozenset()  # methods that are called by their full name
        self.overrides = [_parse_override(text) for text in overrides]
        self._resolved: dict[tuple[str, bytes], ResolvedRecipes] = {}
        known = {"protocol", *METHODS, *REFERENCES}
        for name, override in self.overrides:
            if split_name(name)[0] not in known and ":" not in name:
                raise UsageError(
                    f"--set {name}.…: no recipe of that name, one of {', '.join(sorted(known))}"
                )
            if (key := next(iter(override.set))) in DESCRIPTIVE:
                raise UsageError(f"--set {name}.{key}: describes the recipe, sets nothing")
        for name in {name for name, _ in self.overrides} - {"protocol"}:
            self.resolve().method(name)  # wrong keys are errors, used or not
        for name in self.files:
            self.resolve().check_file(name)
        self.resolve()

    def resolve(
        self, teacher: str = "", changes: Mapping[str, Any] | None = None
    ) -> "ResolvedRecipes":
        """The recipes for one teacher's architecture, or for none in particular.

        ``changes`` are other values in the protocol, by keys with dots in them. The same request
        gives the same object.
        """
        changes = dict(changes or {})
        if self.weights and any(key.startswith("classifier.") for key in changes):
            raise UsageError("--weights: a row of this table trains its teacher in another way")
        request = teacher, msgspec.json.encode(changes, order="sorted")
        if request not in self._resolved:
            self._resolved[request] = ResolvedRecipes(self, teacher, changes)
        return self._resolved[request]

    def tell_apart(self, methods: Iterable[str]) -> None:
        """Methods from outside that share their title with another one get their full name."""
        titles = {name: self.resolve().method(name).title for name in methods}
        shared = {title for title, count in Counter(titles.values()).items() if count > 1}
        alike = {name for name, title in titles.items() if title in shared and ":" in name}
        self.told_apart |= alike

    def title(self, method: str) -> str:
        """What a method is called in print."""
        return method if method in self.told_apart else self.resolve().method(method).title


class ResolvedRecipes:
    """The protocol and the methods' recipes for one teacher, each resolved once."""

    def __init__(self, recipes: Recipes, teacher: str, changes: Mapping[str, Any]) -> None:
        self.scale, self.dataset, self.weights = recipes.scale, recipes.dataset, recipes.weights
        self.teacher = teacher
        self._recipes, self._changes = recipes, changes
        of_table = [("protocol", _override(k.split("."), v)) for k, v in changes.items()]
        self._overrides: Overrides = [*recipes.overrides, *of_table]
        self._methods: dict[tuple[str, bytes], MethodRecipe] = {}
        file = _read(FOLDER / "protocol.toml")
        where = Where(self.scale, self.dataset, teacher)
        values = self._values("protocol", file, where) | {"assumed": file.assumed}
        if any(key.startswith("classifier.") for key in changes):
            values["ready"] = {}  # this table is about how its teachers are trained
        self.protocol = validated(values, Protocol, "protocol")

    def of(self, teacher: str) -> "ResolvedRecipes":
        """The same for another architecture."""
        return self._recipes.resolve(teacher, self._changes)

    def method(self, name: str, settings: Mapping[str, Any] | None = None) -> MethodRecipe:
        """The recipe of ``name``: a method, ``METHOD-VARIANT``, a reference, or
        ``package.module:Class``.

        ``settings`` are those that a table changes, such as an ablation's switches.
        """
        settings = dict(settings or {})
        request = name, msgspec.json.encode(settings, order="sorted")
        if request not in self._methods:
            self._methods[request] = self._method(name, settings)
        return self._methods[request]

    def title(self, method: str) -> str:
        """What a method is called in print."""
        return self._recipes.title(method)

    def check_file(self, name: str) -> None:
        """Every layer of the recipe file of ``name``, also those of other scales and data sets.

        Raises `UsageError` for an unknown key, a wrong type, or settings that the method refuses.
        """
        file = self._recipes.files[name]
        for number, layer in enumerate(file.layer, 1):
            where = Where(
                layer.scale or self.scale,
                layer.dataset or self.dataset,
                next(iter(layer.teachers), self.teacher),
                layer.variant,
            )
            try:
                self._method(name, {}, where)
            except UsageError as error:
                raise UsageError(f"--recipe: layer {number}: {error}") from error
        values = msgspec.to_builtins(self.method(name))
        for key in file.assumed:
            if not _has(values, key.split(".")):
                raise UsageError(f"--recipe: assumed.{key}: the recipe of {name} has no such value")

    def _method(
        self, name: str, settings: dict[str, Any], where: Where | None = None
    ) -> MethodRecipe:
        method, variant = split_name(name)
        own, cls = method in METHODS or method in REFERENCES, settings_class(name)
        bare = RecipeFile([])
        file = _read(FOLDER / f"{method}.toml") if own else self._recipes.files.get(method, bare)
        if variant and variant not in file.variants:
            has = " and ".join(f"{method}-{known}" for known in file.variants) or "none"
            raise UsageError(f"{name}: the recipe of {method} has no such variant; it has {has}")
        title = file.variants[variant].title if variant else file.title or cls.__name__
        budget = {"batches": self.protocol.batches, "batch_size": self.protocol.batch_size}
        where = where or Where(self.scale, self.dataset, self.teacher, variant)
        values = budget | self._values(name, file, where)
        values |= {"name": name, "method": method, "title": title, "assumed": file.assumed}
        recipe = validated(values, MethodRecipe, name)
        complete = checked_settings(name, recipe.settings | settings)
        try:
            build_method(
                method, complete
            )  # what the method refuses is refused now, not hours later
        except SettingError as error:
            raise UsageError(f"recipe {name}: {error}") from error
        return msgspec.structs.replace(recipe, settings=complete)

    def _values(self, name: str, file: RecipeFile, where: Where) -> dict[str, Any]:
        """What ``file`` and the command set there."""
        values: dict[str, Any] = {}
        for override in (*file.layer, *(o for target, o in self._overrides if target == name)):
            if override.holds(where):
                _merge(values, override.set)
        return values


def _has(values: Any, path: Sequence[str]) -> bool:
    """Whether nested dictionaries hold a value under the keys of ``path``."""
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


@cache
def _read(path: Path) -> RecipeFile:
    """Read once: a command asks for each file often."""
    return read_toml(path, RecipeFile)


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)  # a file is read once: nothing may be merged into it


def _parse_override(text: str) -> tuple[str, Override]:
    """``name.key.key=value`` to the recipe's name and its override; the value is TOML or a word."""
    head, equals, value = text.partition("=")
    prefix, colon, rest = head.partition(":")
    first, *path = rest.split(".") if colon else prefix.split(".")
    if not equals or not path or not all(path):
        raise UsageError(f"--set {text}: write recipe.key=value, e.g. di.settings.iterations=50")
    name = f"{prefix}:{first}" if colon else first
    try:
        return name, _override(path, tomllib.loads(f"value = {value}")["value"])
    except (tomllib.TOMLDecodeError, RecursionError):
        return name, _override(path, value)


def _override(path: Sequence[str], value: Any) -> Override:
    """The override that sets one key, ``path``, wherever the recipe is used."""
    for key in reversed(path):
        value = {key: value}
    return Override(value)
