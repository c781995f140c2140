"""The cells of the classifiers for one teacher and one seed: itself, and students' baselines."""

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from benchmarks.datasets.load import content, sizes
from benchmarks.engine.cell import Cell, make_cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.resolved import ResolvedRecipes
from benchmarks.training import classifier, pretrained
from benchmarks.training.real_images import ReadsRealImages
from naturalinversion.classifiers.outside import is_outside, own_weights_sha256
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import UsageError
from reports.tables.layout import LONGEST_PART

RecipeT = TypeVar("RecipeT", bound=ReadsRealImages)


class ClassifierCells:
    """Builds them, and names all cells of this teacher and seed."""

    def __init__(self, recipes: ResolvedRecipes, seed: int) -> None:
        self.recipes, self.protocol, self.seed = recipes, recipes.protocol, seed
        self.dataset = recipes.dataset
        self.width, self.image_size = msgspec.structs.astuple(recipes.protocol.network)
        self.teacher = self._teacher(recipes.teacher)

    def reading(self, kind: str, label: str, recipe: RecipeT, inputs: Mapping[str, Cell]) -> Cell:
        """A cell that reads real images; its recipe says what is in a folder of them."""
        found = _content(self.recipes.origin)
        return make_cell(kind, label, replace(recipe, content=found) if found else recipe, inputs)

    def classifier(self, arch: str) -> Cell:
        """Trained on the real images: the teacher, or a student's baseline; or read from a file,
        which is one for all seeds.
        """
        if arch in self.recipes.weights:
            path, width = self.recipes.weights[arch], self.width_of(arch)
            classes, _, _ = sizes(self.dataset)
            return self._pretrained(arch, pretrained.fitting_sha256(path, arch, classes, width))
        protocol = self.recipes.of(arch).protocol
        recipe = classifier.Recipe(
            arch=arch,
            dataset=self.dataset,
            width=protocol.network.width,
            image_size=protocol.network.image_size,
            seed=self.seed,
            training=protocol.classifier,
            floor=self.recipes.of(arch).classifier_floor,
            asked_floor=self._asked_floor(arch),
        )
        return self.reading("classifier", self.data_label(arch), recipe, {})

    def width_of(self, arch: str) -> float:
        """The width factor of an architecture: narrow families are not made narrower at demo."""
        return self.recipes.of(arch).protocol.network.width

    def label(self, name: str) -> str:
        """What a cell's folder is called: data, teacher, name and seed."""
        return self.data_label(f"{self.recipes.teacher}-{name}")

    def data_label(self, name: str) -> str:
        """The same without the teacher, for what has none."""
        return f"{self._data}-{file_name(name)}-s{self.seed}"

    @property
    def _data(self) -> str:
        """The data set; of a long path the beginning and a digest."""
        plain = self.dataset.rpartition(":")[2].strip("/").replace("/", "_")
        if len(plain) <= LONGEST_PART:
            return plain
        digest = hashlib.sha256(os.fsencode(plain)).hexdigest()[:8]
        return f"{plain[: LONGEST_PART - 9].strip('-._')}-{digest}"

    def _teacher(self, arch: str) -> Cell:
        """The classifier that is inverted. One that comes with the library, or somebody's own whose
        code loads its weights, is one for all seeds.
        """
        name = self.protocol.ready.get(arch)
        if arch in self.recipes.weights:
            return self.classifier(arch)
        if is_outside(arch):
            classes, _, _ = sizes(self.dataset)
            return self._pretrained(arch, own_weights_sha256(arch, classes))
        if not name:
            return self.classifier(arch)
        known = describe(name)
        own = tuple(known.recipe[key] for key in ("arch", "width", "image_size"))
        if (known.dataset, *own) != (self.dataset, arch, self.width, self.image_size):
            raise UsageError(
                f"ready classifier {name} is {_in_words(known.dataset, *own)}; asked for is "
                f"{_in_words(self.dataset, arch, self.width, self.image_size)} "
                f"(--set protocol.ready.{arch}= trains one)"
            )
        return self._pretrained(arch, known.sha256, ready=name)

    def _pretrained(self, arch: str, sha256: str, ready: str = "") -> Cell:
        """Weights that are there already; ``ready`` is the name of those in the library."""
        protocol = self.recipes.of(arch).protocol
        recipe = pretrained.Recipe(
            arch=arch,
            dataset=self.dataset,
            width=protocol.network.width,
            image_size=protocol.network.image_size,
            sha256=sha256,
            ready=ready,
            floor=self.recipes.of(arch).classifier_floor,
            asked_floor=self._asked_floor(arch),
        )
        source = "ready" if ready else "given"
        return self.reading("pretrained", f"{self._data}-{file_name(arch)}-{source}", recipe, {})

    def _asked_floor(self, arch: str) -> float | UnsetType:
        """The command's, where that is not the recipe's."""
        recipes = self.recipes.of(arch)
        asked = recipes.protocol.classifier_floor
        return UNSET if asked == recipes.classifier_floor else asked


@lru_cache(maxsize=256)
def _content(origin: Recipes) -> str:
    """That of its data set, looked up once for a command and data set, not for each cell."""
    return content(origin.dataset, origin.data_root)


@lru_cache(maxsize=1024)
def file_name(name: str) -> str:
    """A name of methods and networks without what a folder's can't have everywhere."""
    return "".join(letter if letter.isalnum() or letter in "-_=." else "_" for letter in name)


def _in_words(dataset: str, arch: str, width: float, image_size: int) -> str:
    return f"{arch} {width:g} times as wide, for {dataset} in {image_size}x{image_size} pixels"
