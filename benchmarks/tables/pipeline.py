"""How cells hang together, for any method, on one data set and scale: teacher, images, evaluation.

A measurement of a table becomes the cell whose record holds its number, with all that it reads.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from baselines import REFERENCES
from benchmarks.datasets.load import sizes
from benchmarks.engine.cell import Cell, make_cell
from benchmarks.evaluation import distillation, joint_student, pruning, scratch, tsne
from benchmarks.evaluation.fidelity import fidelity
from benchmarks.recipes.methods import build_method, source_sha256
from benchmarks.recipes.resolve import ResolvedRecipes
from benchmarks.recipes.schema import MethodRecipe, TrainingRecipe
from benchmarks.synthesis import generate_images
from benchmarks.synthesis.image_sets import SyntheticImages
from benchmarks.tables.spec import Request
from benchmarks.training import classifier, pretrained, wgan_reference
from naturalinversion.errors import UsageError
from naturalinversion.seeds import derive

REAL = "real"  # in place of a method: images of the real test split


class Pipeline:
    """Builds the cells of one teacher and one seed; the same measurement gives the same cell."""

    def __init__(self, recipes: ResolvedRecipes, seed: int) -> None:
        self.recipes, self.protocol, self.seed = recipes, recipes.protocol, seed
        self.dataset = recipes.dataset
        self.width, self.image_size = msgspec.structs.astuple(recipes.protocol.network)
        self.teacher = self._classifier(recipes.teacher)

    def cell(self, measurement: Request) -> Cell:
        """The cell whose record has ``measurement.metric``."""
        if measurement.outcome not in EVALUATIONS:
            known = ", ".join(EVALUATIONS)
            raise UsageError(f"unknown outcome '{measurement.outcome}': one of {known}")
        return EVALUATIONS[measurement.outcome](self, measurement)

    def images(self, measurement: Request) -> SyntheticImages:
        """The synthesis cells whose batches together are the images of the method.

        So many images as are asked for, or all if there are fewer; of real images only how many.
        The student counts for methods that compete with one or train one: images of others are
        shared by all students of a teacher.
        """
        if measurement.method == REAL:
            _, _, test = sizes(self.dataset)
            return SyntheticImages([], min(measurement.images or test, test))
        recipe = self.recipes.method(measurement.method, measurement.settings)
        student = measurement.grown_with or measurement.student
        if recipe.method in REFERENCES:
            made = SyntheticImages.of([self._reference(recipe)])
        elif recipe.student_use == "none":
            made = SyntheticImages.of(self._chunks(recipe, _name(measurement)))
        elif recipe.student_use == "joint":
            own = f"{_short(recipe.method)}-{student}"
            grown = self._synthesis(recipe, own, student=student, width=self.width)
            made = SyntheticImages.of([grown])
        else:
            made = self._rounds(recipe, student)
        return made.first(measurement.images or made.count)

    def shown(self, measurement: Request) -> Cell:
        """The first cell of images that the method made itself; rounds start from another's."""
        cells = [cell for cell, _ in self.images(measurement).parts]
        own = (cell for cell in cells if cell.recipe.get("method") == measurement.method)
        return next(own, cells[0])

    def baseline(self, measurement: Request) -> Cell:
        """The student's architecture trained on the real images."""
        return self._classifier(measurement.student)

    def student(self, measurement: Request) -> Cell:
        """The student whose test accuracy is the method's number in Table 5."""
        method, arch, images = measurement.method, measurement.student, self.images(measurement)
        if self.recipes.method(method, measurement.settings).student_use == "joint":
            ((made, _),) = images.parts
            recipe = joint_student.Recipe(self.dataset, self.image_size)
            return make_cell("joint_student", made.label, recipe, {"images": made})
        return self._distilled(f"{_name(measurement)}-{arch}", arch, images, self.protocol.student)

    def scratch(self, measurement: Request) -> Cell:
        """A network trained on the method's images and their labels alone."""
        images = self.images(measurement)
        recipe = scratch.Recipe(
            arch=measurement.student,
            dataset=self.dataset,
            width=self.width,
            image_size=self.image_size,
            seed=self.seed,
            training=self.protocol.scratch,
            images=images.selection,
        )
        label = self.label(f"{_name(measurement)}-{measurement.student}")
        return make_cell("scratch", label, recipe, images.inputs())

    def fidelity(self, measurement: Request) -> Cell:
        """The method's images beside the real training images."""
        images = self.images(measurement)
        recipe = fidelity.Recipe(
            dataset=self.dataset,
            image_size=self.image_size,
            seed=self.seed,
            fidelity=self.protocol.fidelity,
            images=images.selection,
        )
        name = _name(measurement)
        label = self.label(name) if images.parts else self.data_label(name)
        return make_cell("fidelity", label, recipe, images.inputs())

    def pruning(self, measurement: Request) -> Cell:
        """The teacher with a part of its filters, fine-tuned on the method's images."""
        images = self.images(measurement)
        recipe = pruning.Recipe(
            arch=self.recipes.teacher,
            dataset=self.dataset,
            width=self.width,
            image_size=self.image_size,
            seed=self.seed,
            ratio=measurement.ratio,
            pruning=self.protocol.pruning,
            temperature=self.protocol.temperature,
            images=images.selection,
        )
        label = self.label(f"{_name(measurement)}-pruned{measurement.ratio:g}")
        inputs = {"teacher": self.teacher} | images.inputs()
        return make_cell("pruning", label, recipe, inputs)

    def tsne(self, measurement: Request) -> Cell:
        """Images of several methods and real ones in the teacher's features."""
        protocol, sets = self.protocol.embedding, {}
        for method in measurement.sets:
            one = msgspec.structs.replace(
                measurement, method=method, settings={}, images=protocol.images
            )
            sets[self.recipes.method(method).title] = self.images(one)
        count = min(images.count for images in sets.values())
        sets = {title: images.first(count) for title, images in sets.items()}
        recipe = tsne.Recipe(
            dataset=self.dataset,
            image_size=self.image_size,
            seed=self.seed,
            tsne=msgspec.structs.replace(protocol, images=count),
            sets={title: images.selection for title, images in sets.items()},
        )
        inputs = {"teacher": self.teacher}
        for title, images in sets.items():
            inputs |= images.inputs(title)
        return make_cell("tsne", self.label("-".join(measurement.sets)), recipe, inputs)

    def label(self, name: str) -> str:
        """What a cell's folder is called: data, teacher, name and seed."""
        return self.data_label(f"{self.recipes.teacher}-{name}")

    def data_label(self, name: str) -> str:
        """The same without the teacher, for what has none."""
        return f"{self._data}-{name}-s{self.seed}"

    @property
    def _data(self) -> str:
        return self.dataset.rpartition(":")[2].strip("/").replace("/", "_")

    def _classifier(self, arch: str) -> Cell:
        """Trained on the real images: the teacher, or a student's baseline; or read from a file,
        which is one for all seeds.
        """
        protocol = self.recipes.of(arch).protocol
        common = (arch, self.dataset, protocol.network.width, protocol.network.image_size)
        floor = protocol.classifier_floor
        if arch in self.recipes.weights:
            sha256 = pretrained.weights_sha256(self.recipes.weights[arch])
            given = pretrained.Recipe(*common, sha256, floor)
            return make_cell("pretrained", f"{self._data}-{arch}-given", given, {})
        recipe = classifier.Recipe(*common, self.seed, protocol.classifier, floor)
        return make_cell("classifier", self.data_label(arch), recipe, {})

    def _chunks(self, recipe: MethodRecipe, name: str) -> list[Cell]:
        """All batches of a method, so many to a cell, or in one if they share their training."""
        synthesizer = build_method(recipe.method, recipe.settings)
        size = recipe.batches if getattr(synthesizer, "prepare_steps", 0) else self.protocol.chunk
        if size >= recipe.batches:
            return [self._synthesis(recipe, name)]
        return [
            self._synthesis(
                recipe,
                f"{name}-from{first}",
                batches=min(size, recipe.batches - first),
                first=first,
            )
            for first in range(0, recipe.batches, size)
        ]

    def _rounds(self, recipe: MethodRecipe, arch: str) -> SyntheticImages:
        rounds = recipe.rounds
        if rounds is None:
            raise UsageError(f"{recipe.method} competes with a student: its recipe needs [rounds]")
        start, first = self.recipes.method(rounds.start), rounds.start_batches
        left = recipe.batches - first
        if left < rounds.rounds or left % rounds.rounds:
            raise UsageError(
                f"recipe {recipe.method}: {recipe.batches} batches less {first} to start from "
                f"can't be shared out over {rounds.rounds} rounds"
            )
        if start.batches < first or start.batch_size != recipe.batch_size:
            raise UsageError(
                f"recipe {recipe.method}: {rounds.start} makes {start.batches} batches of "
                f"{start.batch_size}, {first} of {recipe.batch_size} are needed to start from"
            )
        cells = self._chunks(start, _short(start.method))
        images = SyntheticImages.of(cells).first(first * recipe.batch_size)
        student: Cell | None = None
        for number in range(1, rounds.rounds + 1):
            name = f"{_short(recipe.method)}-{arch}-round{number}"
            student = self._distilled(name, arch, images, rounds.student, student)
            made = self._synthesis(
                recipe,
                name,
                {"student": student},
                batches=left // rounds.rounds,
                seed=derive(self.seed, "round", number),
            )
            images += SyntheticImages.of([made])
        return images

    def _synthesis(
        self,
        recipe: MethodRecipe,
        name: str,
        inputs: Mapping[str, Cell] | None = None,
        **changes: Any,
    ) -> Cell:
        """A synthesis cell; ``changes`` are to the recipe of one that makes all batches alone."""
        plain = generate_images.Recipe(
            recipe.method,
            recipe.settings,
            recipe.batches,
            recipe.batch_size,
            self.seed,
            source=source_sha256(recipe.method),
        )
        changed = msgspec.structs.replace(plain, **changes)
        read = {"teacher": self.teacher, **(inputs or {})}
        return make_cell("synthesis", self.label(name), changed, read)

    def _reference(self, recipe: MethodRecipe) -> Cell:
        trained = wgan_reference.Recipe(
            dataset=self.dataset,
            image_size=self.image_size,
            seed=self.seed,
            settings=recipe.settings,
            batches=recipe.batches,
            batch_size=recipe.batch_size,
        )
        return make_cell(recipe.method, self.data_label(recipe.method), trained, {})

    def _distilled(
        self,
        name: str,
        arch: str,
        images: SyntheticImages,
        training: TrainingRecipe,
        initial: Cell | None = None,
    ) -> Cell:
        recipe = distillation.Recipe(
            arch=arch,
            dataset=self.dataset,
            width=self.width,
            image_size=self.image_size,
            seed=self.seed,
            training=training,
            temperature=self.protocol.temperature,
            images=images.selection,
            student_pixels=self.protocol.student_pixels,
        )
        inputs = {"teacher": self.teacher} | images.inputs()
        if initial is not None:
            inputs["initial"] = initial
        return make_cell("distillation", self.label(name), recipe, inputs)


EVALUATIONS: dict[str, Callable[[Pipeline, Request], Cell]] = {
    "teacher": lambda pipeline, _: pipeline.teacher,
    "baseline": Pipeline.baseline,
    "synthesis": Pipeline.shown,
    "distillation": Pipeline.student,
    "scratch": Pipeline.scratch,
    "fidelity": Pipeline.fidelity,
    "pruning": Pipeline.pruning,
    "tsne": Pipeline.tsne,
}


def _name(measurement: Request) -> str:
    """The method in a label, with the settings that the table changes."""
    changed = [f"{key}={value}" for key, value in measurement.settings.items()]
    name = "-".join([_short(measurement.method), *changed])
    return "".join(letter if letter.isalnum() or letter in "-_=." else "_" for letter in name)


def _short(method: str) -> str:
    return method.rpartition(":")[2]
