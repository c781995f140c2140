"""How cells hang together: teacher, images, student, for any method, on one data set and scale."""

import msgspec

from benchmarks.cells import Cell
from benchmarks.errors import UsageError
from benchmarks.kinds.classifier import Recipe as ClassifierRecipe
from benchmarks.kinds.joint_student import Recipe as JointStudentRecipe
from benchmarks.kinds.student import Recipe as StudentRecipe
from benchmarks.kinds.synthesis import Recipe as SynthesisRecipe
from benchmarks.recipes import Book, MethodRecipe, method_class, source_of
from benchmarks.training import TrainingRecipe
from naturalinversion.seeds import derive
from naturalinversion.synthesis import StudentUse

Parts = list[tuple[Cell, int]]  # synthesis cells, and how many batches of each


class Pipeline:
    """Builds the cells of one teacher and one seed; the same request gives the same cell."""

    def __init__(self, book: Book, teacher: str, seed: int) -> None:
        self.book = book
        self.arch = teacher
        self.seed = seed
        self.protocol = book.protocol(teacher)
        self.teacher = self.classifier(teacher)

    def classifier(self, arch: str) -> Cell:
        """A classifier trained on the real images: the teacher, or a student's baseline."""
        protocol = self.book.protocol(arch)
        recipe = ClassifierRecipe(
            arch,
            self.book.dataset,
            protocol.network.width,
            protocol.network.image_size,
            self.seed,
            protocol.classifier,
            protocol.classifier_floor,
        )
        return _cell("classifier", f"{self._data}-{arch}-s{self.seed}", recipe, {})

    def images(self, method: str, student: str) -> Parts:
        """The synthesis cells whose batches together are the method's images.

        ``student`` is the architecture that a competing or joint method needs; others ignore it,
        so that their images are shared by all students of a teacher.
        """
        recipe = self.book.method(method, self.arch)
        use: StudentUse = method_class(method).student_use
        if use == "none":
            cell = self._synthesis(recipe, recipe.batches, self.seed)
            return [(cell, recipe.batches)]
        if use == "joint":
            return [(self._joint(recipe, student), recipe.batches)]
        return self._rounds(recipe, student)

    def student(self, method: str, arch: str) -> Cell:
        """The student whose test accuracy is the method's number in Table 5."""
        parts = self.images(method, arch)
        if method_class(method).student_use == "joint":
            ((images, _),) = parts
            network = self.protocol.network
            joint = JointStudentRecipe(self.book.dataset, network.image_size)
            return _cell("joint_student", images.label, joint, {"images": images})
        return self._distilled(f"{_short(method)}-{arch}", arch, parts, self.protocol.student)

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
        parts = [(self._synthesis(start, start.batches, self.seed), made)]
        student: Cell | None = None
        for number in range(1, rounds.rounds + 1):
            name = f"{_short(recipe.method)}-{arch}-round{number}"
            student = self._distilled(name, arch, parts, rounds.student, student)
            cell = self._synthesis(
                recipe, left // rounds.rounds, derive(self.seed, "round", number), student, name
            )
            parts.append((cell, left // rounds.rounds))
        return parts

    def _synthesis(
        self,
        recipe: MethodRecipe,
        batches: int,
        seed: int,
        student: Cell | None = None,
        name: str = "",
    ) -> Cell:
        inputs = {"teacher": self.teacher} | ({"student": student} if student else {})
        plain = SynthesisRecipe(
            recipe.method,
            recipe.settings,
            batches,
            recipe.batch_size,
            seed,
            source=source_of(recipe.method),
        )
        return _cell("synthesis", self._label(name or _short(recipe.method)), plain, inputs)

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
        label = self._label(f"{_short(recipe.method)}-{arch}")
        return _cell("synthesis", label, plain, {"teacher": self.teacher})

    def _distilled(
        self,
        name: str,
        arch: str,
        parts: Parts,
        training: TrainingRecipe,
        initial: Cell | None = None,
    ) -> Cell:
        network = self.protocol.network
        recipe = StudentRecipe(
            arch,
            self.book.dataset,
            network.width,
            network.image_size,
            self.seed,
            training,
            self.protocol.temperature,
            [batches for _, batches in parts],
        )
        inputs = {"teacher": self.teacher}
        inputs |= {f"images{index}": cell for index, (cell, _) in enumerate(parts)}
        if initial is not None:
            inputs["initial"] = initial
        return _cell("student", self._label(name), recipe, inputs)

    @property
    def _data(self) -> str:
        return self.book.dataset.rpartition(":")[2].strip("/").replace("/", "_")

    def _label(self, name: str) -> str:
        return f"{self._data}-{self.arch}-{name}-s{self.seed}"


def _cell(kind: str, label: str, recipe: msgspec.Struct, inputs: dict[str, Cell]) -> Cell:
    return Cell(kind, label, msgspec.to_builtins(recipe), inputs)


def _short(method: str) -> str:
    return method.rpartition(":")[2]
