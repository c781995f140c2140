"""Overrides of recipes: each says for which scale, data set, teacher or variant it holds, and what
it sets. Recipes' files are made of them, and the command line has its own.
"""

import copy
import tomllib
from collections.abc import Sequence
from typing import Any

import msgspec

from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.outside import is_outside, plain_name
from naturalinversion.errors import UsageError

SCALES = ("demo", "small", "mini", "paper")
DATASETS = ("digits", "cifar10", "cifar100")


def check_known(scale: str, dataset: str) -> None:
    """Raises `ValueError` for another scale or data set than there are."""
    if scale not in SCALES:
        raise ValueError(f"unknown scale '{scale}': one of {', '.join(SCALES)}")
    if dataset not in DATASETS and not dataset.startswith("imagefolder:"):
        known = ", ".join(DATASETS)
        raise ValueError(f"unknown data set '{dataset}': {known}, or imagefolder:PATH")


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
        check_known(self.scale or SCALES[0], self.dataset or DATASETS[0])
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


def parse_override(text: str) -> tuple[str, Override]:
    """``name.key.key=value`` to the recipe's name and its override; the value is TOML or a word."""
    head, equals, value = text.partition("=")
    prefix, colon, rest = head.partition(":")
    first, *path = rest.split(".") if colon else prefix.split(".")
    if not equals or not path or not all(path):
        raise UsageError(f"--set {text}: write recipe.key=value, e.g. di.settings.iterations=50")
    name = f"{prefix}:{first}" if colon else first
    try:
        return name, override_of(path, tomllib.loads(f"value = {value}")["value"])
    except (tomllib.TOMLDecodeError, RecursionError):
        return name, override_of(path, value)


def override_of(path: Sequence[str], value: Any) -> Override:
    """The override that sets one key, ``path``, wherever the recipe is used."""
    for key in reversed(path):
        value = {key: value}
    return Override(value)


def merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    """Set ``values`` in ``into``, key by key where both are tables."""
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)  # a file is read once: nothing may be merged into it
