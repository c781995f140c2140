"""``synthesize``: invert a classifier of your own, on nothing but its weights."""

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from torch import nn
from tyro.conf import UseAppendAction, arg

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.given_classifier import Floats, Inputs, described, filled, given_network
from benchmarks.cli.options import RECIPE, RunOptions
from benchmarks.engine.machine import set_up_torch
from benchmarks.recipes.methods import build_method
from benchmarks.recipes.resolve import Recipes
from naturalinversion.checkpoint import Checkpoint
from naturalinversion.classifiers.ready import describe
from naturalinversion.classifiers.weights import save_classifier
from naturalinversion.errors import TeacherWarning, UsageError
from naturalinversion.image_store.pixels import PixelMapping
from naturalinversion.image_store.sample_grid import GRID
from naturalinversion.precision import Precision
from naturalinversion.progress import bar
from naturalinversion.synthesis import Training, iterations_of, synthesize
from naturalinversion.synthesis.sequence import forget_state, is_sequential
from naturalinversion.teacher.remarks import UNTRAINED
from naturalinversion.teacher.teacher import CIFAR10_MEAN, CIFAR10_STD, Teacher

STUDENT = "student.safetensors"
OPTIONS = {  # by what `Inputs` calls them
    "num_classes": "--num-classes",
    "image_shape": "--image-size",
    "mean": "--mean",
    "std": "--std",
    "width": "--width",
}


@dataclass(frozen=True)
class Synthesize:
    """Synthesize training images from a classifier alone."""

    out: Path
    """folder for the images: safetensors shards, a grid, and PNGs with --export"""
    method: str = "ni"
    """di, ni, …, a variant such as di-paper, or package.module:Class"""
    ready: str = ""
    """a classifier that comes with the library: see the command ready"""
    arch: str = ""
    """one of the library's architectures, with --weights"""
    weights: Path | None = None
    """for --arch or --model: safetensors, or a state dict (loaded with weights_only)"""
    model: str = ""
    """package.module:factory, a function that returns your network (this runs its code), trained
    or with --weights"""
    num_classes: int = 10
    width: float = 1.0
    """width factor of --arch"""
    image_size: tuple[int, ...] = (32,)
    """side in pixels, or height and width"""
    mean: Floats = CIFAR10_MEAN
    """per channel, for pixels in [0, 1], as in the classifier's training; grey images: one value"""
    std: Floats = CIFAR10_STD
    images: int = 256
    """how many images, rounded up to whole batches"""
    batch_size: int = 0
    """images a batch; 0: the recipe's"""
    seed: int = 0
    student: str = ""
    """architecture of the student, for methods that compete with one or train one jointly"""
    student_weights: Path | None = None
    """weights of the student to compete with"""
    export: Literal["", "denormalize", "minmax"] = ""
    """also write an ImageFolder tree of PNGs under OUT/png, pixels mapped like this"""
    scale: str = "paper"
    """whose recipe: paper is the published one"""
    dataset: str = "cifar10"
    """which data set's recipe: cifar10, cifar100 or digits"""
    set: Annotated[tuple[str, ...], arg(metavar="RECIPE.KEY=VALUE"), UseAppendAction] = ()
    """override a recipe value, e.g. ni.settings.iterations=200; may be given several times"""
    recipe_files: Annotated[tuple[Path, ...], RECIPE, UseAppendAction] = ()
    """the recipe of a method from outside, in the form of the suite's (docs/adding-a-method.md)"""
    execution: RunOptions = field(default_factory=RunOptions)
    json: bool = False
    """print the result as JSON"""

    def run(self) -> int:
        """Write the images; the same command again goes on where it was stopped."""
        self._check()
        machine = self.execution.machine()
        device = set_up_torch(machine)
        if not machine.is_deterministic():
            log("--fast: the same command again may give other bytes")
        model, inputs, arch = self._model()
        teacher = self._teacher(model.to(device), inputs, machine.precision)
        student = self._student(inputs)
        recipes = Recipes(self.scale, self.dataset, self.set, files=self.recipe_files)
        if unused := set(recipes.files) - {self.method}:
            raise UsageError(f"--recipe: is of {min(unused)}, --method is {self.method}")
        recipe = recipes.resolve(arch).method(self.method)
        synthesizer = build_method(recipe.method, recipe.settings)
        batch_size = self.batch_size or recipe.batch_size
        batches = -(-self.images // batch_size)
        if self.execution.workers > 1 and is_sequential(synthesizer):
            log(f"{recipe.title}: one worker makes its batches, in order")
        checkpoint, kept = Checkpoint(self.out / "training.pt"), self.out / STUDENT
        with bar(iterations_of(synthesizer, batches), recipe.title) as progress:
            dataset = synthesize(
                synthesizer,
                teacher,
                self.out,
                batches=batches,
                batch_size=batch_size,
                seed=self.seed,
                student=None if student is None else student.to(device),
                student_known=kept.is_file(),
                method=recipe.method,
                settings=recipe.settings,
                training=Training(progress, checkpoint.restore, checkpoint.save),
                on_batch=lambda index, batch: log(f"batch {index + 1} of {batches} done"),
            )
        if student is not None and synthesizer.student_use == "joint" and not kept.is_file():
            save_classifier(kept, student.cpu(), described(self.student, inputs))
            log(f"the student trained jointly with the generator: {kept}")
        checkpoint.delete()
        forget_state(self.out)
        dataset.grid(self.out / GRID, describe(self.ready).classes if self.ready else ())
        if self.export:
            mapping: PixelMapping = self.export
            dataset.export(self.out / "png", mapping, overwrite=True)
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
                f"{len(dataset)} images in {self.out}, a grid of them in {self.out / GRID}; "
                f"the teacher gives the asked label to {agreement:.1%} of them"
            )
        return 0

    def _check(self) -> None:
        for option, value, least in (
            ("images", self.images, 1),
            ("num-classes", self.num_classes, 2),
            ("batch-size", self.batch_size, 0),
            ("seed", self.seed, 0),
            *(("image-size", side, 1) for side in self.image_size),
        ):
            if value < least:
                raise UsageError(f"--{option} {value}: {least} or more")
        if len(self.image_size) not in (1, 2):
            raise UsageError("--image-size: one side, or height and width")
        if not self.mean or len(self.mean) != len(self.std):
            raise UsageError(
                f"--mean has {len(self.mean)} values, --std {len(self.std)}: one for each channel"
            )
        if not 0 < self.width < math.inf:
            raise UsageError(f"--width {self.width}: above zero")

    def _inputs(self) -> Inputs:
        shape = (len(self.mean), self.image_size[0], self.image_size[-1])
        return Inputs(self.num_classes, shape, self.mean, self.std, self.width)

    def _model(self) -> tuple[nn.Module, Inputs, str]:
        """Raises `UsageError`, also for options that contradict what a network says of itself."""
        asked, default = self._inputs(), Synthesize(self.out)._inputs()
        model, inputs, arch = given_network(self.ready, self.arch, self.model, self.weights, asked)
        for name, option in OPTIONS.items():
            value, known = getattr(asked, name), getattr(inputs, name)
            if value not in (known, getattr(default, name)):
                raise UsageError(f"{option}: the classifier says of itself {name} {known}")
        return model, inputs, arch

    def _teacher(self, model: nn.Module, inputs: Inputs, precision: Precision) -> Teacher:
        """Raises `UsageError` for a factory's network that is not trained."""
        with warnings.catch_warnings():
            if self.model and self.weights is None:
                warnings.filterwarnings("error", UNTRAINED, TeacherWarning)
            try:
                return Teacher(
                    model,
                    num_classes=inputs.num_classes,
                    image_shape=inputs.image_shape,
                    mean=inputs.mean,
                    std=inputs.std,
                    precision=precision,
                )
            except TeacherWarning as warning:
                raise UsageError(
                    f"--model {self.model}: {warning}; give its weights with --weights FILE"
                ) from warning

    def _student(self, inputs: Inputs) -> nn.Module | None:
        if not self.student:
            return None
        description = described(self.student, inputs)
        if self.student_weights is not None:
            return filled(description, self.student_weights)
        return description.build(self.seed)
