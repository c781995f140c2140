"""Recipes: frozen, typed hyper-parameters, read from TOML and resolved for one scale and data set.

The overrides of a recipe's file (`recipe_file`) come first, then those of the command line
(``--set di.settings.iterations=50``), and a table's own changes to the protocol last; later ones
win. Unknown keys and wrong types are errors wherever they come from.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from baselines import METHODS, REFERENCES
from benchmarks.recipes.methods import split_name
from benchmarks.recipes.overrides import check_known, parse_override
from benchmarks.recipes.recipe_file import DESCRIPTIVE, read_recipes
from benchmarks.recipes.resolved import ResolvedRecipes
from naturalinversion.classifiers.outside import plain_name
from naturalinversion.errors import UsageError

NOWHERE = Path(os.devnull)  # for recipes that nothing real is read by


class Recipes:
    """Every recipe for one scale and data set, with the overrides of this command.

    ``weights`` are files of classifiers that are read in place of trained, by architecture;
    ``files`` are recipes of methods from outside, ``data_root`` is where a CIFAR lies that may not
    be whole. ``set_by_hand`` says what the command changed, recipes' files by their content;
    ``values_by_hand`` is the same without the files of classifiers.
    """

    def __init__(
        self,
        scale: str,
        dataset: str,
        overrides: Sequence[str] = (),
        weights: Mapping[str, Path] | None = None,
        files: Sequence[Path] = (),
        data_root: Path = NOWHERE,
    ) -> None:
        try:
            check_known(scale, dataset)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if scale == "small" and dataset == "digits":
            raise UsageError(
                "scale small is for cifar10, cifar100 or imagefolder:PATH, images of "
                "32x32: digits has scale demo"
            )
        self.scale = scale
        self.dataset = dataset
        self.data_root = data_root
        self.weights = dict(weights or {})
        given = [f"weights of {plain_name(arch)}" for arch in self.weights]
        self.files = read_recipes(files)
        read = [
            f"recipe of {method} {sha256(path.read_bytes()).hexdigest()[:8]}"
            for method, path in zip(self.files, files, strict=True)
        ]
        self.values_by_hand = [*overrides, *read]
        self.set_by_hand = [*self.values_by_hand, *given]
        self.told_apart: frozenset[str] = frozenset()  # methods that are called by their full name
        self.overrides = [parse_override(text) for text in overrides]
        self._resolved: dict[tuple[str, bytes], ResolvedRecipes] = {}
        known = {"protocol", *METHODS, *REFERENCES}
        for name, override in self.overrides:
            if split_name(name)[0] not in known and ":" not in name:
                raise UsageError(
                    f"--set {name}.…: no recipe of that name, one of {', '.join(sorted(known))}, "
                    "or package.module:Class"
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
    ) -> ResolvedRecipes:
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
