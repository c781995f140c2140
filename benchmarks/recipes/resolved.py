"""The protocol and the methods' recipes with their values for one scale, data set and teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.methods import build_method, checked_settings, settings_class, split_name
from benchmarks.recipes.overrides import Override, Where, merge, override_of
from benchmarks.recipes.recipe_file import RecipeFile
from benchmarks.recipes.schema import MethodRecipe, Protocol
from benchmarks.recipes.toml_file import read_toml, validated
from naturalinversion.errors import SettingError, UsageError

if TYPE_CHECKING:
    from benchmarks.recipes.resolve import Recipes

FOLDER = Path(__file__).parent
BUDGET = ("batches", "batch_size")  # the protocol's, where a method's recipe has none


class ResolvedRecipes:
    """The protocol and the methods' recipes for one teacher, resolved once from ``origin``."""

    def __init__(self, origin: "Recipes", teacher: str, changes: Mapping[str, Any]) -> None:
        self.scale, self.dataset, self.weights = origin.scale, origin.dataset, origin.weights
        self.teacher = teacher
        self.origin, self._changes = origin, changes
        of_table = [("protocol", override_of(k.split("."), v)) for k, v in changes.items()]
        self._overrides: list[tuple[str, Override]] = [*origin.overrides, *of_table]
        self._methods: dict[tuple[str, bytes], MethodRecipe] = {}
        file = _read(FOLDER / "protocol.toml")
        where = Where(self.scale, self.dataset, teacher)
        values = self._values("protocol", file, where) | {"assumed": file.assumed}
        if any(key.startswith("classifier.") for key in changes):
            values["ready"] = {}  # this table is about how its teachers are trained
        self.protocol = validated(values, Protocol, "protocol")
        of_file = self._values("protocol", file, where, by_hand=False)
        self.classifier_floor: float = of_file["classifier_floor"]  # whatever the command asks for

    def of(self, teacher: str) -> "ResolvedRecipes":
        """The same for another architecture."""
        return self.origin.resolve(teacher, self._changes)

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

    def check_file(self, name: str) -> None:
        """Every layer of the recipe file of ``name``, also those of other scales and data sets.

        Raises `UsageError` for an unknown key, a wrong type, or settings that the method refuses.
        """
        file = self.origin.files[name]
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

    def check_budget(self, name: str) -> None:
        """Raises `UsageError` if the command sets a budget in the protocol that the recipe of
        ``name`` doesn't read, as it has its own.
        """
        method, variant = split_name(name)
        where = Where(self.scale, self.dataset, self.teacher, variant)
        own = self._values(name, self._file(method), where)
        of_command = [o.set for target, o in self.origin.overrides if target == "protocol"]
        for key in BUDGET:
            if key in own and any(key in values for values in of_command):
                raise UsageError(
                    f"--set protocol.{key}: the recipe of {name} has its own: set {name}.{key}"
                )

    def _method(
        self, name: str, settings: dict[str, Any], where: Where | None = None
    ) -> MethodRecipe:
        method, variant = split_name(name)
        file, cls = self._file(method), settings_class(name)
        if variant and variant not in file.variants:
            has = " and ".join(f"{method}-{known}" for known in file.variants) or "none"
            raise UsageError(f"{name}: the recipe of {method} has no such variant; it has {has}")
        title = file.variants[variant].title if variant else file.title or cls.__name__
        budget = {key: getattr(self.protocol, key) for key in BUDGET}
        where = where or Where(self.scale, self.dataset, self.teacher, variant)
        values = budget | self._values(name, file, where)
        values |= {"name": name, "method": method, "title": title, "assumed": file.assumed}
        of_settings = {field.name for field in fields(cls)} if is_dataclass(cls) else set()
        if inside := of_settings & values.keys() - set(MethodRecipe.__struct_fields__):
            raise UsageError(f"recipe {name}: write {name}.settings.{min(inside)}")
        recipe = validated(values, MethodRecipe, name)
        complete = checked_settings(name, recipe.settings | settings)
        try:
            build_method(method, complete)  # refused now, not hours later
        except SettingError as error:
            raise UsageError(f"recipe {name}: {error}") from error
        return msgspec.structs.replace(recipe, settings=complete)

    def _file(self, method: str) -> RecipeFile:
        """The suite's, the command's, or an empty one."""
        if method in METHODS or method in REFERENCES:
            return _read(FOLDER / f"{method}.toml")
        return self.origin.files.get(method, RecipeFile([]))

    def _values(
        self, name: str, file: RecipeFile, where: Where, *, by_hand: bool = True
    ) -> dict[str, Any]:
        """What ``file`` and, ``by_hand``, the command set there."""
        values: dict[str, Any] = {}
        overrides = [o for target, o in self._overrides if target == name and by_hand]
        for override in (*file.layer, *overrides):
            if override.holds(where):
                merge(values, override.set)
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
