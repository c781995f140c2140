"""Teachers from classifiers that this suite has stored."""

from pathlib import Path

import torch
from torch import nn

from naturalinversion.classifiers.weights import Classifier, load_classifier
from naturalinversion.precision import Precision
from naturalinversion.teacher.teacher import Teacher


def load_teacher(path: Path, device: torch.device, precision: Precision = "fp32") -> Teacher:
    """A network that `save_classifier` wrote, as a frozen teacher on ``device``."""
    model, description = load_classifier(path)
    return as_teacher(model, description, device, precision)


def as_teacher(
    model: nn.Module,
    description: Classifier,
    device: torch.device,
    precision: Precision = "fp32",
) -> Teacher:
    """``model`` as a teacher for the images of its description."""
    size = description.image_size
    return Teacher(
        model.to(device),
        num_classes=description.num_classes,
        image_shape=(3, size, size),
        mean=description.mean,
        std=description.std,
        precision=precision,
    )
