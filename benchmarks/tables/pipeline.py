"""How cells hang together: teacher, images, student, for any method, on one data set and scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.evaluation.distillation import Recipe as StudentRecipe
from benchmarks.evaluation.joint_student import Recipe as JointStudentRecipe
from benchmarks.recipes.resolve import Book, MethodRecipe, build_method, method_class, source_of
from benchmarks.recipes.schema import Network
from benchmarks.synthesis.generate_images import Recipe as SynthesisRecipe
from benchmarks.training.classifier import Recipe as ClassifierRecipe
from benchmarks.training.pretrained import Recipe as GivenRecipe
from benchmarks.training.pretrained import digest
from benchmarks.training.recipe import TrainingRecipe
from naturalinversion.errors import UsageError
from naturalinversion.seeds import derive
from naturalinversion.synthesis import StudentUse

Parts = list[tuple[Cell, int]]  # synthesis cells, and how many batches of each
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Images:
    """Synthesis cells with how many batches to take of each, and how many images in all."""

    parts: Parts
    count: int

    @property
    def batches(self) -> list[int]:
        """What to take of each cell."""
        return [batches for _, batches in self.parts]

    def inputs(self, prefix: str = "images") -> dict[str, Cell]:
        """The cells by role, ``images0``, ``images1``, …"""
        return {f"{prefix}{index}": cell for index, (cell, _) in enumerate(self.parts)}


class Pipeline:
    """Builds the cells of one teacher and one seed; the same request gives the same cell."""

    def __init__(self, book: Book, teacher: str, seed: int) -> None:
        self.book = book
        self.arch = teacher
        self.seed = seed
        self.protocol = book.protocol(teacher)
        self.teacher = self.classifier(teacher)

    @property
    def network(self) -> Network:
        """Width and image size of all networks."""
        return self.protocol.network

    def classifier(self, arch: str) -> Cell:
        """A classifier trained on the real images: the teacher, or a student's baseline."""
        protocol = self.book.protocol(arch)
        if arch in self.book.weights:
            return self._given_classifier(arch, self.book.weights[arch])
        recipe = ClassifierRecipe(
            arch,
            self.book.dataset,
            protocol.network.width,
            protocol.network.image_size,
            self.seed,
            protocol.classifier,
            protocol.classifier_floor,
        )
        return make_cell("classifier", self.data_label(arch), recipe, {})

    def _given_classifier(self, arch: str, weights: Path) -> Cell:
        """The same for all seeds."""
        recipe = GivenRecipe(
            arch,
            self.book.dataset,
            self.book.protocol(arch).network.width,
            self.book.protocol(arch).network.image_size,
            digest(weights),
            self.book.protocol(arch).classifier_floor,
        )
        return make_cell("given_classifier", f"{self._data}-{arch}-given", recipe, {})

    def images(
        self, method: str, student: str, count: int = 0, variant: Settings | None = None
    ) -> Images:
        """The synthesis cells whose batches together are the method's images.

        ``student`` is the architecture that a competing or joint method needs; others ignore it,
        so that their images are shared by all students of a teacher. ``count`` takes the first so
        many images, or all if there are fewer; 0 takes all. ``variant`` changes settings.
        """
        recipe = self.book.method(method, self.arch, variant)
        count = min(count or recipe.images, recipe.images)
        use: StudentUse = method_class(method).student_use
        if use == "none":
            parts = _whole(self._chunks(recipe, variant))
        elif use == "joint":
            parts = _whole([self._joint(recipe, student)])
        else:
            parts = self._rounds(recipe, student)
        return Images(_first(parts, -(-count // recipe.batch_size)), count)

    def student(
        self, method: str, arch: str, count: int = 0, variant: Settings | None = None
    ) -> Cell:
        """The student whose test accuracy is the method's number in Table 5."""
        images = self.images(method, arch, count, variant)
        if method_class(method).student_use == "joint":
            ((cell, _),) = images.parts
            joint = JointStudentRecipe(self.book.dataset, self.network.image_size)
            return make_cell("joint_student", cell.label, joint, {"images": cell})
        name = f"{name_of(method, variant)}-{arch}"
        return self._distilled(name, arch, images, self.protocol.student)

    def label(self, name: str) -> str:
        """What a cell's folder is called: data, teacher, name and seed."""
        return self.data_label(f"{self.arch}-{name}")

    def data_label(self, name: str) -> str:
        """The same without the teacher, for what has none."""
        return f"{self._data}-{name}-s{self.seed}"

    def _chunks(self, recipe: MethodRecipe, variant: Settings | None = None) -> list[Cell]:
        """All batches of a method, so many to a cell, or in one if they share their training."""
        name = name_of(recipe.method, variant)
        synthesizer = build_method(recipe.method, recipe.settings)
        size = recipe.batches if getattr(synthesizer, "prepare_steps", 0) else self.protocol.chunk
        if size >= recipe.batches:
            return [self._synthesis(recipe, recipe.batches, self.seed, name)]
        return [
            self._synthesis(
                recipe,
                min(size, recipe.batches - first),
                self.seed,
                f"{name}-from{first}",
                first=first,
            )
            for first in range(0, recipe.batches, size)
        ]

    def _rounds(self, recipe: MethodRecipe, arch: str) -> Parts:
        rounds = recipe.rounds
        if rounds is None:
            raise UsageError(f"{recipe.method} competes with a student: its recipe needs [rounds]")
        made, left = rounds.start_batches, recipe.batches - rounds.start_batches
        if left < rounds.rounds or left % rounds.rounds:
            raise UsageError(
                f"recipe {recipe.method}: {recipe.batches} batches less {made} to start from can't "
                f"be shared out over {rounds.rounds} rounds"
            )
        start = self.book.method(rounds.start, self.arch)
        if start.batches < made or start.batch_size != recipe.batch_size:
            raise UsageError(
                f"recipe {recipe.method}: {rounds.start} makes {start.batches} batches of "
                f"{start.batch_size}, {made} of {recipe.batch_size} are needed to start from"
            )
        parts = _first(_whole(self._chunks(start)), made)
        student: Cell | None = None
        for number in range(1, rounds.rounds + 1):
            name = f"{_short(recipe.method)}-{arch}-round{number}"
            images = Images(parts, sum(batches for _, batches in parts) * recipe.batch_size)
            student = self._distilled(name, arch, images, rounds.student, student)
            seed = derive(self.seed, "round", number)
            cell = self._synthesis(recipe, left // rounds.rounds, seed, name, student)
            parts = [*parts, (cell, left // rounds.rounds)]
        return parts

    def _synthesis(
        self,
        recipe: MethodRecipe,
        batches: int,
        seed: int,
        name: str,
        student: Cell | None = None,
        first: int = 0,
    ) -> Cell:
        inputs = {"teacher": self.teacher} | ({"student": student} if student else {})
        plain = SynthesisRecipe(
            recipe.method,
            recipe.settings,
            batches,
            recipe.batch_size,
            seed,
            source=source_of(recipe.method),
            first=first,
        )
        return make_cell("synthesis", self.label(name), plain, inputs)

    def _joint(self, recipe: MethodRecipe, arch: str) -> Cell:
        plain = SynthesisRecipe(
            recipe.method,
            recipe.settings,
            recipe.batches,
            recipe.batch_size,
            self.seed,
            arch,
            self.protocol.network.width,
            source_of(recipe.method),
        )
        label = self.label(f"{_short(recipe.method)}-{arch}")
        return make_cell("synthesis", label, plain, {"teacher": self.teacher})

    def _distilled(
        self,
        name: str,
        arch: str,
        images: Images,
        training: TrainingRecipe,
        initial: Cell | None = None,
    ) -> Cell:
        recipe = StudentRecipe(
            arch,
            self.book.dataset,
            self.network.width,
            self.network.image_size,
            self.seed,
            training,
            self.protocol.temperature,
            images.batches,
            images.count,
            self.protocol.student_pixels,
        )
        inputs = {"teacher": self.teacher} | images.inputs()
        if initial is not None:
            inputs["initial"] = initial
        return make_cell("student", self.label(name), recipe, inputs)

    @property
    def _data(self) -> str:
        return self.book.dataset.rpartition(":")[2].strip("/").replace("/", "_")


def make_cell(kind: str, label: str, recipe: msgspec.Struct, inputs: Mapping[str, Cell]) -> Cell:
    """A cell whose recipe is plain data."""
    return Cell(kind, label, msgspec.to_builtins(recipe), dict(inputs))


def _whole(cells: Sequence[Cell]) -> Parts:
    return [(cell, int(cell.recipe["batches"])) for cell in cells]


def _first(parts: Parts, wanted: int) -> Parts:
    """The first ``wanted`` batches."""
    found: Parts = []
    for cell, there in parts:
        if wanted > 0:
            found.append((cell, min(wanted, there)))
        wanted -= there
    return found


def name_of(method: str, variant: Settings | None) -> str:
    """A method's part of a label; of a variant, with what it turns."""
    turned = [f"{key}={value}" for key, value in (variant or {}).items()]
    plain = "-".join([_short(method), *turned])
    return "".join(letter if letter.isalnum() or letter in "-_=." else "_" for letter in plain)


def _short(method: str) -> str:
    return method.rpartition(":")[2]
