"""Teachers from classifiers that this suite has stored."""

from pathlib import Path

import torch

from naturalinversion.classifiers.weights import load_classifier
from naturalinversion.precision import Precision
from naturalinversion.teacher.teacher import Teacher


def load_teacher(path: Path, device: torch.device, precision: Precision = "fp32") -> Teacher:
    """A network that `save_classifier` wrote, as a frozen teacher on ``device``.

    Raises `MissingError` without the file and `UsageError` when it holds something else.
    """
    return Teacher.from_classifier(*load_classifier(path), device, precision)
