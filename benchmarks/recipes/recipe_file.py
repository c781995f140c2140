"""What a recipe's file holds: a list of overrides, and variants of the recipe.

Each override says for which scale, data set, teacher or variant it holds and what it sets; later
ones win. A variant is another preset of the same method: ``di-paper`` is ``di`` with the overrides
for its variant ``paper`` as well. The file of a method from outside says whose recipe it is.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.toml_file import read_toml
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.outside import is_outside, plain_name
from naturalinversion.errors import MissingError, UsageError

SCALES = ("demo", "small", "mini", "paper")
DATASETS = ("digits", "cifar10", "cifar100")
DESCRIPTIVE = ("name", "method", "title", "source", "assumed", "variants")


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set`` holds where every selector given agrees; ``teacher`` may name several.

    It is the architecture of the teacher, and where a classifier is trained (a teacher or a
    student's baseline) that of the classifier.
    """

    set: dict[str, Any]
    scale: str = ""
    dataset: str = ""
    teacher: str | list[str] = ""
    variant: str = ""

    def __post_init__(self) -> None:
        if self.scale not in ("", *SCALES):
            raise ValueError(f"unknown scale '{self.scale}': one of {', '.join(SCALES)}")
        if self.dataset not in ("", *DATASETS) and not self.dataset.startswith("imagefolder:"):
            known = ", ".join(DATASETS)
            raise ValueError(f"unknown data set '{self.dataset}': {known}, or imagefolder:PATH")
        for name in self.teachers:
            if name not in ARCHITECTURES and not is_outside(name):
                known = ", ".join(ARCHITECTURES)
                raise ValueError(f"unknown teacher '{name}': {known}, or package.module:factory")

    @property
    def teachers(self) -> list[str]:
        """The teachers that it holds for; empty for all."""
        named = [self.teacher] if isinstance(self.teacher, str) else self.teacher
        return [name for name in named if name]

    def holds(self, where: "Where") -> bool:
        """Whether it is one for this scale, data set, teacher and variant of the recipe."""
        return (
            self.scale in ("", where.scale)
            and self.dataset in ("", where.dataset)
            and self.variant in ("", where.variant)
            and (not self.teachers or plain_name(where.teacher) in self.teachers)
        )


class Where(msgspec.Struct, frozen=True):
    """What a recipe is resolved for."""

    scale: str
    dataset: str
    teacher: str
    variant: str = ""


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
