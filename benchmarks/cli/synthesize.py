"""``synthesize``: invert a classifier of your own, on nothing but its weights."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from torch import nn
from tyro.conf import UseAppendAction, arg

from benchmarks.cli.classifier_options import ClassifierOptions
from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.execution_options import ComputeOptions, TimeLimit
from benchmarks.cli.given_classifier import described, given_student
from benchmarks.cli.help_texts import optional
from benchmarks.cli.kept_student import JointStudent
from benchmarks.cli.options import RECIPE
from benchmarks.cli.time_estimate import bar_or_estimate
from benchmarks.engine.deadline import stop_after
from benchmarks.engine.machine import set_up_torch
from benchmarks.recipes.methods import build_method, method_class
from benchmarks.recipes.overrides import parse_override
from benchmarks.recipes.resolve import Recipes
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.weights import Classifier
from naturalinversion.errors import UsageError
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.export import CHANNELS
from naturalinversion.image_store.pixels import PixelMapping
from naturalinversion.image_store.sample_grid import GRID
from naturalinversion.progress import Progress
from naturalinversion.synthesis import Training, synthesize
from naturalinversion.synthesis.sequence import forget_state
from naturalinversion.synthesis.synthesizer import USES, is_sequential


@dataclass(frozen=True)
class Synthesize:
    """Synthesize training images from a classifier alone."""

    out: Path
    """folder for the images: safetensors shards, a grid, and PNGs with --export"""
    method: Annotated[str, arg(metavar="METHOD")] = "ni"
    """di, ni, …, a variant such as di-paper, or package.module:Class"""
    classifier: ClassifierOptions = field(default_factory=ClassifierOptions)
    images: int = 256
    """how many images, rounded up to whole batches"""
    batch_size: int = 0
    """images a batch; 0: the recipe's"""
    seed: int = 0
    """of labels and noise: another seed, other images"""
    classes: Annotated[tuple[str, ...] | None, optional("CLASS [CLASS ...]")] = None
    """images of these alone, by number from 0, or by name where --ready knows it"""
    student: Annotated[str, optional("ARCH")] = ""
    """architecture of the student, for methods that compete with one or train one jointly"""
    student_weights: Annotated[Path | None, optional("FILE")] = None
    """weights of the student to compete with"""
    export: Annotated[Literal["", "denormalize", "minmax"], optional("{denormalize,minmax}")] = ""
    """also write an ImageFolder tree of PNGs under OUT/png, pixels mapped like this"""
    scale: str = "paper"
    """whose recipe: paper is the published one, on a CPU hours a batch; small and demo have fewer
    iterations, for networks a quarter and an eighth as wide"""
    dataset: Annotated[str, optional("DATASET")] = ""
    """which data set's recipe: cifar10, cifar100 or digits; by default that of --ready, else
    cifar10"""
    set: Annotated[tuple[str, ...], arg(metavar="RECIPE.KEY=VALUE"), UseAppendAction] = ()
    """override a recipe value, e.g. ni.settings.iterations=200; may be given several times"""
    recipe_files: Annotated[tuple[Path, ...], RECIPE, UseAppendAction] = ()
    """the recipe of a method from outside, in the form of the suite's (docs/adding-a-method.md)"""
    execution: ComputeOptions = field(default_factory=ComputeOptions)
    limit: TimeLimit = field(default_factory=TimeLimit)
    json: bool = False
    """print the result as JSON"""

    def run(self) -> int:
        """Write the images; the same command again goes on where it was stopped."""
        self._check()
        with stop_after(self.limit.hours()):
            return self._run()

    def _run(self) -> int:
        machine = self.execution.machine()
        device = set_up_torch(machine)
        if not machine.is_deterministic():
            log("--fast: the same command again may give other bytes")
        model, inputs, arch = self.classifier.network()
        if self.export and (channels := inputs.image_shape[0]) not in CHANNELS:
            raise UsageError(f"--export: images of {channels} channels can't be PNGs: 1, 3 or 4")
        teacher = self.classifier.teacher(model.to(device), inputs, machine.precision)
        dataset_name = self.dataset or self.classifier.dataset or "cifar10"
        recipes = Recipes(self.scale, dataset_name, self.set, files=self.recipe_files)
        if unused := set(recipes.files) - {self.method}:
            raise UsageError(f"--recipe: is of {min(unused)}, --method is {self.method}")
        recipe = recipes.resolve(arch).method(self.method)
        recipes.resolve(arch).check_budget(self.method)
        synthesizer = build_method(recipe.method, recipe.settings)
        batch_size = self.batch_size or recipe.batch_size
        batches = -(-self.images // batch_size)
        checkpoint = Checkpoint(self.out / "training.pt")
        student, joint = None, None
        if self.student:
            description = described(self.student, inputs)
            student = self._student(description).to(device)
            if synthesizer.student_use == "joint":
                trained_on = batches if is_sequential(synthesizer) else None
                joint = JointStudent(self.out, student, description, trained_on)
        known = joint is not None and joint.is_kept()
        dataset = synthesize(
            synthesizer,
            teacher,
            self.out,
            batches=batches,
            batch_size=batch_size,
            seed=self.seed,
            classes=self._numbers(inputs.num_classes),
            student=student,
            student_known=known,
            method=recipe.method,
            settings=recipe.settings,
            training=Training(
                restore=checkpoint.restore, save=checkpoint.save, forget=checkpoint.delete
            ),
            on_batch=lambda index, batch: log(f"batch {index + 1} of {batches} done"),
            progress=lambda steps: _said_at_first(
                inputs.assumed and f"taken for granted: {inputs.assumed}",
                bar_or_estimate(steps, recipe.title),
            ),
        )
        if joint is not None and not known:
            joint.keep()
        checkpoint.delete()
        forget_state(self.out)
        pictured = self._pictures(dataset)
        agreement = dataset.teacher_agreement or 0.0  # None only where no teacher made the images
        answer = {
            "images": len(dataset),
            "folder": str(self.out),
            "recipe": msgspec.to_builtins(recipe),
            "teacher_agreement": agreement,
            "deterministic": machine.is_deterministic(),
        }
        if self.json:
            print_json(answer)
        else:
            print_result(
                f"{len(dataset)} images in {self.out}{pictured}; "
                f"the teacher gives the asked label to {agreement:.1%} of them"
            )
        return 0

    def _pictures(self, dataset: SyntheticDataset) -> str:
        """Write the grid and what ``--export`` asks for; returns where the grid lies, in words."""
        channels, path = dataset.meta.image_shape[0], self.out / GRID
        if channels not in CHANNELS:
            log(f"no grid: images of {channels} channels have no colours to show")
            return ""
        dataset.grid(path, self.classifier.classes)
        if self.export:
            mapping: PixelMapping = self.export
            dataset.export(self.out / "png", mapping, overwrite=True)
        return f", a grid of them in {path}"

    def _check(self) -> None:
        """Raises `UsageError` for values that can't be, and for those that nothing would read."""
        for option, value, least in (
            ("images", self.images, 1),
            ("batch-size", self.batch_size, 0),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise UsageError(f"--{option} {value}: {least} or more")
        self.classifier.check()
        method = method_class(self.method)
        named = self.classifier
        if named.width is not None and named.model and not (named.arch or self.student):
            raise UsageError("--width: of --arch or --student, and neither is given")
        if self.student_weights is not None and not self.student:
            raise UsageError("--student-weights: of which architecture? --student says so")
        if self.student and method.student_use == "none":
            raise UsageError(f"--student {self.student}: no student takes part in {self.method}")
        if self.student and self.student not in ARCHITECTURES:
            raise UsageError(
                f"--student {self.student}: here a student is one of the library's architectures, "
                f"{', '.join(ARCHITECTURES)}"
            )
        if not self.student and method.student_use != "none":
            weights = ", --student-weights its file" if method.student_use == "compete" else ""
            raise UsageError(
                f"--method {self.method} needs a student to {USES[method.student_use]}: --student "
                f"names its architecture{weights}"
            )
        for text in self.set:
            self._check_override(text)

    def _check_override(self, text: str) -> None:
        name, override = parse_override(text)
        key = next(iter(override.set))
        if (name, key) == (self.method, "batches"):
            raise UsageError(f"--set {text}: --images says how many")
        if key == "batch_size" and self.batch_size:
            raise UsageError(f"--set {text}: --batch-size says another")
        read = {(self.method, "settings"), (self.method, "batch_size"), ("protocol", "batch_size")}
        if (name, key) not in read:
            raise UsageError(
                f"--set {text}: not read here, but {self.method}.settings and .batch_size are"
            )

    def _numbers(self, num_classes: int) -> list[int]:
        """The classes that are asked for. Raises `UsageError` for one that isn't there."""
        names = self.classifier.classes
        known = {str(number): number for number in range(num_classes)}
        known |= {name: number for number, name in enumerate(names)}
        for name in self.classes or ():
            if name not in known:
                there = f", {', '.join(names)}" if names else ""
                raise UsageError(f"--classes {name}: not one of 0 to {num_classes - 1}{there}")
        return [known[name] for name in self.classes or ()]

    def _student(self, description: Classifier) -> nn.Module:
        if self.student_weights is not None:
            return given_student(description, self.student_weights)
        return description.build(self.seed)


@contextmanager
def _said_at_first(line: str, shown: AbstractContextManager[Progress]) -> Iterator[Progress]:
    """``shown``; after its first step, when the request has proved possible, ``line`` is logged."""
    with shown as progress:

        def advance(steps: int) -> None:
            nonlocal line
            progress(steps)
            if line:
                log(line)
                line = ""

        yield advance
