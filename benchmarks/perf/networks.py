"""The teachers and methods that are timed."""

import warnings
from typing import Any

import torch

from baselines import METHODS
from naturalinversion import Teacher, Training
from naturalinversion.classifiers import build
from naturalinversion.errors import TeacherWarning

NARROW = {"latent": 128, "generator_width": 0.25}  # the demo's generator
SETTINGS: dict[str, dict[str, Any]] = {"di": {}, "adi": {}, "ni": NARROW, "ni_adi": NARROW}


def teacher(arch: str, width: float, size: int, device: str = "cpu", **more: Any) -> Teacher:
    """A teacher with random weights, as its speed does not depend on them."""
    torch.manual_seed(0)
    model = build(arch, 10, width).to(device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TeacherWarning)  # that it looks untrained
        return Teacher(model, num_classes=10, image_shape=(3, size, size), **more)


def method(name: str, of: Teacher, iterations: int, **settings: Any) -> Any:
    """The method, prepared."""
    found: Any = METHODS[name](**{"iterations": iterations, **settings})
    student = None
    if found.student_use == "compete":
        student = build("resnet18", 10, 0.125).to(of.device)
    found.prepare(of, student, 0, Training())
    return found
