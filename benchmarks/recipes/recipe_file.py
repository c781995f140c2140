"""What a recipe's file holds: a list of overrides, and variants of the recipe.

Later overrides win. A variant is another preset of the same method: ``di-paper`` is ``di`` with the
overrides for its variant ``paper`` as well. The file of a method from outside says whose recipe it
is.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.overrides import Override
from benchmarks.recipes.toml_file import read_toml
from naturalinversion.errors import MissingError, UsageError

DESCRIPTIVE = ("name", "method", "title", "source", "assumed", "variants")


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another preset of a recipe: what it is called in print, and where its values are from."""

    title: str
    source: str


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``assumed`` maps a key that nobody published to why it has its value. ``method`` says whose
    recipe it is: for methods from outside, the suite's own are known by their files' names.
    """

    layer: list[Override]
    title: str = ""
    source: str = ""
    assumed: dict[str, str] = {}
    variants: dict[str, Variant] = {}
    method: str = ""

    def __post_init__(self) -> None:
        for number, layer in enumerate(self.layer, 1):
            if wrong := set(layer.set) & set(DESCRIPTIVE):
                raise ValueError(f"layer {number} sets {min(wrong)}, which describes the recipe")
            if layer.variant and layer.variant not in self.variants:
                raise ValueError(f"a layer is for the variant '{layer.variant}': not in [variants]")
        if empty := [key for key, why in self.assumed.items() if not why]:
            raise ValueError(f"assumed.{empty[0]} gives no reason")


def read_recipes(paths: Iterable[Path]) -> dict[str, RecipeFile]:
    """Recipes of methods from outside, by the methods' names.

    Raises `MissingError` or `UsageError` for what is no recipe, says no method or one of the
    suite's, or is the second one of a method.
    """
    found: dict[str, RecipeFile] = {}
    for path in paths:
        if not path.is_file():
            raise MissingError(f"--recipe {path}: no such file")
        file = read_toml(path, RecipeFile)
        if file.method in METHODS or file.method in REFERENCES:
            raise UsageError(f"--recipe {path}: {file.method} has its recipe, which --set changes")
        if ":" not in file.method:
            raise UsageError(
                f'--recipe {path}: says no method from outside: method = "package.module:Class"'
            )
        if file.method in found:
            raise UsageError(f"--recipe {path}: {file.method} has another one already")
        found[file.method] = file
    return found
