"""What a recipe's file holds, and those that methods from outside bring."""

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
DESCRIPTIVE = ("method", "title", "source", "assumed")
DATASETS = ("digits", "cifar10", "cifar100")


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``set`` holds where every selector given agrees; ``teacher`` may name several."""

    set: dict[str, Any]
    scale: str = ""
    dataset: str = ""
    teacher: str | list[str] = ""

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

    def holds(self, scale: str, dataset: str, teacher: str) -> bool:
        """Whether it is one for this scale, data set and teacher."""
        return (
            self.scale in ("", scale)
            and self.dataset in ("", dataset)
            and (not self.teachers or plain_name(teacher) in self.teachers)
        )


class RecipeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``assumed`` maps a key that nobody published to why it has its value. ``method`` says whose
    recipe it is: for methods from outside, the suite's own are known by their files' names.
    """

    layer: list[Override]
    title: str = ""
    source: str = ""
    assumed: dict[str, str] = {}
    method: str = ""

    def __post_init__(self) -> None:
        for number, layer in enumerate(self.layer, 1):
            if wrong := set(layer.set) & set(DESCRIPTIVE):
                raise ValueError(f"layer {number} sets {min(wrong)}, which describes the recipe")
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
