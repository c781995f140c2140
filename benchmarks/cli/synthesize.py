"""``synthesize``: invert a classifier of your own, on nothing but its weights."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from torch import nn
from tyro.conf import UseAppendAction, arg

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.options import RECIPE, RunOptions
from benchmarks.engine.checkpoint import Checkpoint
from benchmarks.engine.machine import set_up_torch
from benchmarks.recipes.methods import build_method
from benchmarks.recipes.resolve import Recipes
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.classifiers.key_mapping import renaming_text
from naturalinversion.classifiers.ready import load_ready
from naturalinversion.classifiers.weights import (
    Classifier,
    load_classifier,
    load_state,
    read_weights,
    save_classifier,
)
from naturalinversion.errors import UsageError
from naturalinversion.images import PixelMapping
from naturalinversion.named_code import load_object
from naturalinversion.progress import bar
from naturalinversion.sample_grid import ENLARGED, GRID, save_grid
from naturalinversion.synthesis import Training, iterations_of, synthesize
from naturalinversion.teacher.teacher import CIFAR10_MEAN, CIFAR10_STD, Teacher

STUDENT = "student.safetensors"
Floats = tuple[float, float, float]


@dataclass(frozen=True)
class Synthesize:
    """Synthesize training images from a classifier alone."""

    out: Path
    """folder for the images: safetensors shards, a grid, and PNGs with --export"""
    method: str = "ni"
    """di, ni, … or package.module:Class"""
    ready: str = ""
    """a classifier that comes with the library: see the command ready"""
    arch: str = ""
    """one of the library's architectures, with --weights"""
    weights: Path | None = None
    """safetensors, or a state dict of torch.save (loaded with weights_only)"""
    model: str = ""
    """package.module:factory, a function that returns your network (this runs its code)"""
    num_classes: int = 10
    width: float = 1.0
    """width factor of --arch"""
    image_size: int = 32
    mean: Floats = CIFAR10_MEAN
    """per channel, for pixels in [0, 1], as in the classifier's training"""
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
        model, description = self._model()
        size = description.image_size
        teacher = Teacher(
            model.to(device),
            num_classes=description.num_classes,
            image_shape=(3, size, size),
            mean=description.mean,
            std=description.std,
            precision=machine.precision,
        )
        student = self._student(description)
        recipes = Recipes(self.scale, self.dataset, self.set, files=self.recipe_files)
        if unused := set(recipes.files) - {self.method}:
            raise UsageError(f"--recipe: is of {min(unused)}, --method is {self.method}")
        recipe = recipes.resolve(description.arch).method(self.method)
        synthesizer = build_method(recipe.method, recipe.settings)
        batch_size = self.batch_size or recipe.batch_size
        batches = -(-self.images // batch_size)
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
            joint = msgspec.structs.replace(description, arch=self.student)
            save_classifier(kept, student.cpu(), joint)
            log(f"the student trained jointly with the generator: {kept}")
        checkpoint.delete()
        images, labels = next(iter(dataset.shards()))
        save_grid(self.out / GRID, images, labels, teacher, ENLARGED)
        if self.export:
            mapping: PixelMapping = self.export
            dataset.export(self.out / "png", mapping)
        answer = {
            "images": len(dataset),
            "folder": str(self.out),
            "recipe": msgspec.to_builtins(recipe),
            "deterministic": machine.is_deterministic(),
        }
        if self.json:
            print_json(answer)
        else:
            print_result(
                f"{len(dataset)} images in {self.out}, a grid of them in {self.out / GRID}"
            )
        return 0

    def _check(self) -> None:
        for option, value, least in (
            ("images", self.images, 1),
            ("image-size", self.image_size, 1),
            ("num-classes", self.num_classes, 1),
            ("batch-size", self.batch_size, 0),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise UsageError(f"--{option} {value}: {least} or more")
        if not 0 < self.width < math.inf:
            raise UsageError(f"--width {self.width}: above zero")

    def _model(self) -> tuple[nn.Module, Classifier]:
        given = Classifier(
            self.arch, self.num_classes, self.width, self.image_size, self.mean, self.std
        )
        if sum(map(bool, (self.ready, self.model, self.arch or self.weights))) != 1:
            raise UsageError("synthesize needs --arch with --weights, or --model, or --ready")
        if self.ready:
            return load_ready(self.ready)
        if self.model:
            factory = load_object(self.model, "--model")
            try:
                model = factory()
            except Exception as error:  # whatever somebody's code raises
                reason = (str(error) or "no message").splitlines()[0]
                raise UsageError(
                    f"--model {self.model}: {type(error).__name__}: {reason}"
                ) from error
            if not isinstance(model, nn.Module):
                raise UsageError(
                    f"--model {self.model}: returned {type(model).__name__}, no module"
                )
            return model, given
        if self.weights is None:
            raise UsageError("--arch needs --weights FILE")
        if not self.arch:
            return load_classifier(self.weights)
        return _filled(given, self.weights), given

    def _student(self, teacher: Classifier) -> nn.Module | None:
        if not self.student:
            return None
        description = msgspec.structs.replace(teacher, arch=self.student)
        if self.student_weights is not None:
            return _filled(description, self.student_weights)
        return description.build(self.seed)


def _filled(description: Classifier, weights: Path) -> nn.Module:
    if description.arch not in ARCHITECTURES:
        raise UsageError(
            f"unknown architecture '{description.arch}': one of {', '.join(ARCHITECTURES)}"
        )
    state = read_weights(weights)
    model = description.build(0)
    if renamed := load_state(model, state, weights):
        log(f"{weights}: {renaming_text(renamed)}")
    return model
