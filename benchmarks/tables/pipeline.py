"""From a measurement of a table to the cell whose record holds its number, with all it reads."""

from collections.abc import Callable

import msgspec

from benchmarks.datasets.load import sizes
from benchmarks.engine.cell import Cell
from benchmarks.evaluation import joint_student, pruning, scratch, tsne
from benchmarks.evaluation.fidelity import fidelity
from benchmarks.recipes.methods import split_name
from benchmarks.synthesis.image_sets import SyntheticImages
from benchmarks.tables.image_cells import REAL, ImageCells
from benchmarks.tables.spec import Measurement
from naturalinversion.errors import UsageError


class Pipeline(ImageCells):
    """Builds the cells of one teacher and one seed; the same measurement gives the same cell."""

    def cell(self, measurement: Measurement) -> Cell:
        """The cell whose record has ``measurement.metric``."""
        if measurement.evaluation not in EVALUATIONS:
            known = ", ".join(EVALUATIONS)
            raise UsageError(f"unknown evaluation '{measurement.evaluation}': one of {known}")
        return EVALUATIONS[measurement.evaluation](self, measurement)

    def shown(self, measurement: Measurement) -> Cell:
        """The first cell of images that the method made itself; rounds start from another's."""
        return self.pictured(measurement)[0]

    def pictured(self, measurement: Measurement) -> list[Cell]:
        """That cell, and of a method with rounds the last as well."""
        images = self.images(measurement)
        cells = self.own(measurement, images) or [images.parts[0][0]]
        method = self.recipes.method(measurement.method, measurement.settings)
        return [cells[0], *(cells[1:][-1:] if method.rounds else [])]

    def own(self, measurement: Measurement, images: SyntheticImages) -> list[Cell]:
        """The cells of its ``images`` that the method made itself."""
        method, _ = split_name(measurement.method)
        cells = [cell for cell, _ in images.parts]
        return [cell for cell in cells if method in (cell.kind, cell.recipe.get("method"))]

    def baseline(self, measurement: Measurement) -> Cell:
        """The student's architecture trained on the real images."""
        return self.classifier(measurement.student)

    def student(self, measurement: Measurement) -> Cell:
        """The student whose test accuracy is the method's number in Table 5."""
        method, arch = measurement.method, measurement.student
        if method == REAL:
            return self._distilled_on_real(measurement)
        images = self.images(measurement)
        if self.recipes.method(method, measurement.settings).student_use == "joint":
            ((made, _),) = images.parts
            tested_on = self.protocol.students_tested_on
            recipe = joint_student.Recipe(
                dataset=self.dataset, image_size=self.image_size, tested_on=tested_on
            )
            return self.reading("joint_student", made.label, recipe, {"images": made})
        return self.distilled(
            f"{self.name_of(measurement)}-{arch}", arch, images, self.protocol.student
        )

    def student_of_all_real(self, measurement: Measurement) -> Cell:
        """A student of the same protocol on all real training images: a control."""
        _, train, _ = sizes(self.dataset)
        return self._distilled_on_real(msgspec.structs.replace(measurement, images=train))

    def _distilled_on_real(self, measurement: Measurement) -> Cell:
        """On as many real training images as are asked for, or as the protocol's budget has."""
        protocol, (_, train, _) = self.protocol, sizes(self.dataset)
        images = SyntheticImages([], min(measurement.images or protocol.images, train))
        return self.distilled(
            f"{REAL}{images.count}-{measurement.student}",
            measurement.student,
            images,
            protocol.student,
        )

    def student_in_loop(self, measurement: Measurement) -> Cell:
        """The student that a competing method's last images are made against, after its rounds."""
        if self.recipes.method(measurement.method, measurement.settings).student_use != "compete":
            raise UsageError(
                f"{measurement.method} has no student in the loop: it competes with none"
            )
        last, _ = self.images(msgspec.structs.replace(measurement, images=0)).parts[-1]
        return last.inputs["student"]

    def scratch(self, measurement: Measurement) -> Cell:
        """A network trained on the method's images and their labels alone."""
        images = self.images(measurement)
        recipe = scratch.Recipe(
            arch=measurement.student,
            dataset=self.dataset,
            width=self.width_of(measurement.student),
            image_size=self.image_size,
            seed=self.seed,
            training=self.protocol.scratch,
            images=self.seen(images, measurement.method),
        )
        label = self.label(f"{self.name_of(measurement)}-{measurement.student}")
        return self.reading("scratch", label, recipe, images.inputs())

    def fidelity(self, measurement: Measurement) -> Cell:
        """The method's images beside the real ones."""
        images, protocol = self.images(measurement), self.protocol.fidelity
        pixels = measurement.pixels or protocol.mappings[0]
        recipe = fidelity.Recipe(
            dataset=self.dataset,
            image_size=self.image_size,
            seed=self.seed,
            fidelity=protocol.metrics,
            images=self.read(images, pixels, measurement.method),
        )
        name = self.name_of(measurement)
        label = self.label(name) if images.parts else self.data_label(name)
        return self.reading("fidelity", label, recipe, images.inputs())

    def pruning(self, measurement: Measurement) -> Cell:
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
            temperature_squared=self.protocol.temperature_squared,
            images=self.seen(images, measurement.method),
        )
        label = self.label(f"{self.name_of(measurement)}-pruned{measurement.ratio:g}")
        inputs = {"teacher": self.teacher} | images.inputs()
        return self.reading("pruning", label, recipe, inputs)

    def tsne(self, measurement: Measurement) -> Cell:
        """Images of several methods and real ones in the teacher's features."""
        protocol = self.protocol.embedding
        sets: dict[str, tuple[str, SyntheticImages]] = {}
        for method in measurement.methods:
            one = msgspec.structs.replace(
                measurement, method=method, settings={}, images=protocol.images
            )
            sets[self.recipes.origin.title(method)] = method, self.images(one)
        count = min(images.count for _, images in sets.values())
        sets = {title: (method, images.first(count)) for title, (method, images) in sets.items()}
        recipe = tsne.Recipe(
            dataset=self.dataset,
            image_size=self.image_size,
            seed=self.seed,
            tsne=msgspec.structs.replace(protocol, images=count),
            sets={title: self.seen(images, method) for title, (method, images) in sets.items()},
        )
        inputs = {"teacher": self.teacher}
        for title, (_, images) in sets.items():
            inputs |= images.inputs(title)
        return self.reading("tsne", self.label("-".join(measurement.methods)), recipe, inputs)


EVALUATIONS: dict[str, Callable[[Pipeline, Measurement], Cell]] = {
    "teacher": lambda pipeline, _: pipeline.teacher,
    "baseline": Pipeline.baseline,
    "synthesis": Pipeline.shown,
    "distillation": Pipeline.student,
    "distillation_on_all_real": Pipeline.student_of_all_real,
    "student_in_loop": Pipeline.student_in_loop,
    "scratch": Pipeline.scratch,
    "fidelity": Pipeline.fidelity,
    "pruning": Pipeline.pruning,
    "tsne": Pipeline.tsne,
}
