"""The cells of the images that any method makes from a teacher, for one seed."""

from collections.abc import Mapping
from typing import Any

import msgspec

from baselines import REFERENCES
from benchmarks.datasets.load import sizes
from benchmarks.engine.cell import Cell, make_cell
from benchmarks.evaluation import distillation
from benchmarks.recipes.methods import build_method, source_sha256
from benchmarks.recipes.schema import MethodRecipe, StudentPixels, TrainingRecipe
from benchmarks.synthesis import generate_images
from benchmarks.synthesis.image_sets import ImageSelection, SyntheticImages
from benchmarks.tables.classifier_cells import ClassifierCells, file_name
from benchmarks.tables.spec import Measurement
from benchmarks.training import wgan_reference
from naturalinversion.errors import UsageError
from naturalinversion.seeds import derive
from naturalinversion.synthesis.synthesizer import is_sequential

SYNTHETIC = ("synthesis", "wgan_gp")  # kinds of cell that make images
REAL = "real"  # in place of a method: images of the real split that is not the reference
NOISE = "noise"  # a control that makes images: its cost has a line


def were_pixels(method: str) -> bool:
    """Whether its images never were tensors in teacher space that a mapping makes pixels of."""
    return method == REAL or method in REFERENCES


class ImageCells(ClassifierCells):
    """Builds them; the same measurement gives the same cells."""

    def images(self, measurement: Measurement) -> SyntheticImages:
        """The synthesis cells whose batches together are the images of the method.

        So many images as are asked for, or all if there are fewer; of real images only how many.
        The student counts for methods that compete with one or train one: images of others are
        shared by all students of a teacher.
        """
        if measurement.method == REAL:
            _, train, test = sizes(self.dataset)
            there = test if self.protocol.fidelity.reference == "train" else train
            return SyntheticImages([], min(measurement.images or there, there))
        recipe = self.recipes.method(measurement.method, measurement.settings)
        student = measurement.synthesis_student or measurement.student
        if recipe.method in REFERENCES:
            made = SyntheticImages.of([self._reference(recipe)])
        elif recipe.student_use == "none":
            made = SyntheticImages.of(self._chunks(recipe, self.name_of(measurement)))
        elif not student:
            raise UsageError(f"{recipe.method} makes its images with a student, and none is named")
        elif recipe.student_use == "joint":
            own = f"{_short(recipe.name)}-{student}"
            cell = self._synthesis(recipe, own, student=student, width=self.width_of(student))
            made = SyntheticImages.of([cell])
        else:
            made = self._rounds(recipe, student)
        return made.first(measurement.images or made.count)

    def name_of(self, measurement: Measurement) -> str:
        """The method in a label, with the settings that are not its recipe's.

        So the same images have the same name, and one folder, in whatever table.
        """
        changed = measurement.settings
        if changed:
            usual = self.recipes.method(measurement.method).settings
            changed = {k: v for k, v in changed.items() if k not in usual or usual[k] != v}
        name = "-".join([_short(measurement.method), *(f"{k}={v}" for k, v in changed.items())])
        return file_name(name)

    def seen(self, images: SyntheticImages, method: str = "") -> ImageSelection:
        """``images`` as the protocol lets all readers see them that measure no fidelity."""
        return self.read(images, self.protocol.student_pixels, method)

    def read(
        self, images: SyntheticImages, pixels: StudentPixels, method: str = ""
    ) -> ImageSelection:
        """``images`` as ``pixels``; where they were pixels there is one way to read those."""
        own = pixels != "stored" and were_pixels(method)
        return msgspec.structs.replace(images.selection, pixels="own" if own else pixels)

    def distilled(
        self,
        name: str,
        arch: str,
        images: SyntheticImages,
        training: TrainingRecipe,
        initial: Cell | None = None,
    ) -> Cell:
        """A student distilled on ``images``, from ``initial`` on or from random weights."""
        recipe = distillation.Recipe(
            arch=arch,
            dataset=self.dataset,
            width=self.width_of(arch),
            image_size=self.image_size,
            seed=self.seed,
            training=training,
            temperature=self.protocol.temperature,
            temperature_squared=self.protocol.temperature_squared,
            images=self.seen(images),
            tested_on=self.protocol.students_tested_on,
        )
        inputs = {"teacher": self.teacher} | images.inputs()
        inputs |= {"initial": initial} if initial else {}
        return self.reading("distillation", self.label(name), recipe, inputs)

    def _chunks(self, recipe: MethodRecipe, name: str) -> list[Cell]:
        """All batches of a method, so many to a cell, or in one if they share their training or
        build on each other.
        """
        synthesizer = build_method(recipe.method, recipe.settings)
        together = getattr(synthesizer, "prepare_steps", 0) or is_sequential(synthesizer)
        size = recipe.batches if together else self.protocol.chunk
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
        """Images of a method that competes with a student, which is trained on between rounds."""
        rounds = recipe.rounds
        if rounds is None:
            raise UsageError(f"{recipe.name} competes with a student: its recipe needs [rounds]")
        start, first = self.recipes.method(rounds.start), rounds.start_batches
        if start.student_use != "none":
            raise UsageError(
                f"recipe {recipe.name}: rounds can't start from {rounds.start}: it needs a student"
            )
        left = recipe.batches - first
        if left < rounds.rounds or left % rounds.rounds:
            raise UsageError(
                f"recipe {recipe.name}: {recipe.batches} batches less {first} to start from "
                f"can't be shared out over {rounds.rounds} rounds"
            )
        if start.batches < first or start.batch_size != recipe.batch_size:
            raise UsageError(
                f"recipe {recipe.name}: {rounds.start} makes {start.batches} batches of "
                f"{start.batch_size}, {first} of {recipe.batch_size} are needed to start from"
            )
        cells = self._chunks(start, _short(start.name))
        images = SyntheticImages.of(cells).first(first * recipe.batch_size)
        student: Cell | None = None
        for number in range(1, rounds.rounds + 1):
            name = f"{_short(recipe.name)}-{arch}-round{number}"
            student = self.distilled(name, arch, images, rounds.training(number), student)
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
        return self.reading(recipe.method, self.data_label(recipe.method), trained, {})


def _short(method: str) -> str:
    return method.rpartition(":")[2]
