"""Options that name the classifier to be inverted, and what they make."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from torch import nn

from benchmarks.cli.given_classifier import Floats, Inputs, given_network
from benchmarks.cli.help_texts import optional
from naturalinversion.classifiers.ready import describe
from naturalinversion.errors import TeacherError, TeacherWarning, UsageError
from naturalinversion.precision import Precision
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD
from naturalinversion.teacher.remarks import UNTRAINED
from naturalinversion.teacher.teacher import Teacher

OPTIONS = {  # by what `Inputs` calls them
    "num_classes": "--num-classes",
    "image_shape": "--image-size",
    "mean": "--mean",
    "std": "--std",
    "width": "--width",
}


@dataclass(frozen=True)
class ClassifierOptions:
    """Which classifier, and what it takes."""

    ready: Annotated[str, optional("NAME")] = ""
    """a classifier that comes with the library: see the command ready"""
    arch: Annotated[str, optional("ARCH")] = ""
    """one of the library's architectures, with --weights"""
    weights: Annotated[Path | None, optional("FILE")] = None
    """for --arch or --model: safetensors, or a state dict (loaded with weights_only); alone a file
    that this suite wrote, which says of itself what network it is"""
    model: Annotated[str, optional("MODULE:FACTORY")] = ""
    """package.module:factory, a function that returns your network (this runs its code), trained
    or with --weights"""
    num_classes: Annotated[int | None, optional("INT")] = None
    """10 by default; this and the next four are known of a classifier that is stored with them"""
    width: Annotated[float | None, optional("FLOAT")] = None
    """width factor of --arch, and of a student's; 1 by default"""
    image_size: Annotated[tuple[int, ...] | None, optional("SIDE [SIDE]")] = None
    """side in pixels, or height and width; 32 by default"""
    mean: Annotated[Floats | None, optional("FLOAT [FLOAT ...]")] = None
    """per channel, for pixels in [0, 1], as in the classifier's training; grey images: one value;
    CIFAR-10's by default"""
    std: Annotated[Floats | None, optional("FLOAT [FLOAT ...]")] = None
    """of the same; CIFAR-10's by default, where --mean is not given either"""

    def check(self) -> None:
        """Raises `UsageError` for values that can't be."""
        sides = self.image_size if self.image_size is not None else (32,)
        for option, value, least in (
            ("num-classes", self.num_classes, 2),
            *(("image-size", side, 1) for side in sides),
        ):
            if value is not None and value < least:
                raise UsageError(f"--{option} {value}: {least} or more")
        if len(sides) not in (1, 2):
            raise UsageError("--image-size: one side, or height and width")
        asked = self._asked()
        alone = (self.mean is None) != (self.std is None)  # which `network` looks at
        if not asked.mean or (not alone and len(asked.mean) != len(asked.std)):
            raise UsageError(
                f"--mean has {len(asked.mean)} values, --std {len(asked.std)}: one for each channel"
            )
        if not 0 < asked.width < math.inf:
            raise UsageError(f"--width {self.width}: above zero")

    @property
    def dataset(self) -> str:
        """The data set of a classifier that comes with the library; empty of another."""
        return describe(self.ready).dataset if self.ready else ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes; empty where they are not known."""
        return describe(self.ready).classes if self.ready else ()

    def network(self) -> tuple[nn.Module, Inputs, str]:
        """The network, what it takes, and its architecture's name if it is one of ours.

        Raises `UsageError`, also for options that contradict what a network says of itself, and for
        one of --mean and --std of a network that says neither.
        """
        asked = self._asked()
        model, inputs, arch = given_network(self.ready, self.arch, self.model, self.weights, asked)
        if inputs is asked and (self.mean is None) != (self.std is None):
            one, other = ("--std", "--mean") if self.mean is None else ("--mean", "--std")
            raise UsageError(f"{one} without {other}: give both, those of the same training")
        given = vars(self) | {"image_shape": self.image_size}
        for name, option in OPTIONS.items():
            known = getattr(inputs, name)
            if given[name] is not None and getattr(asked, name) != known:
                raise UsageError(f"{option}: the classifier says of itself {name} {known}")
        return model, inputs, arch

    def teacher(self, model: nn.Module, inputs: Inputs, precision: Precision) -> Teacher:
        """The network as a teacher. Raises `UsageError` for a factory's that is not trained."""
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
            except TeacherError as error:
                if self.mean is None and self.model and "does not take images" in str(error):
                    raise UsageError(
                        f"{error}; --mean and --std have a value for each channel"
                    ) from error
                raise

    def _asked(self) -> Inputs:
        """What the command line says, its defaults where it says nothing."""
        mean = CIFAR10_MEAN if self.mean is None else self.mean
        std = CIFAR10_STD if self.std is None else self.std
        sides = (32,) if self.image_size is None else self.image_size
        classes = 10 if self.num_classes is None else self.num_classes
        width = 1.0 if self.width is None else self.width
        options = {
            "--image-size": (self.image_size, "32x32 pixels"),
            "--mean and --std": (self.mean, "CIFAR-10's mean and deviations"),
        }
        assumed = [f"{what} ({name})" for name, (value, what) in options.items() if value is None]
        shape = (len(mean), sides[0], sides[-1])
        return Inputs(classes, shape, mean, std, width, " and ".join(assumed))
