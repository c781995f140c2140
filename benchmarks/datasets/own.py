"""Anybody's own images: ``PATH/train/<class>/<image>`` and ``PATH/test/<class>/<image>``."""

from pathlib import Path

import torch
from torch import Tensor

from benchmarks.datasets.cache import cached
from benchmarks.datasets.dataset import Channels, Dataset, assemble
from benchmarks.datasets.image_folder import decode, scan
from naturalinversion.errors import MissingError


def load_own(folder: Path, image_size: int | None) -> Dataset:
    """The tree in ``folder``, named ``imagefolder-<its last part>``.

    Mean and standard deviation are measured on the training split, at the size delivered.
    """
    if not folder.is_dir():
        raise MissingError(
            f"there is no folder {folder.absolute()}: imagefolder:PATH needs "
            "PATH/train/<class>/ and PATH/test/<class>/"
        )
    tree = scan(folder.resolve())
    owner = f"{tree.folder} at {image_size}"
    train, test = cached(owner, tree.stamp, lambda: decode(tree, fit=image_size))
    mean, std = measure(train.images)
    return assemble(f"imagefolder-{tree.folder.name}", train, test, tree.classes, mean, std)


def count_own(folder: Path) -> tuple[int, int, int]:
    """Classes, training images and test images of the tree in ``folder``."""
    tree = scan(folder)
    return len(tree.classes), len(tree.files["train"]), len(tree.files["test"])


def measure(images: Tensor) -> tuple[Channels, Channels]:
    """Mean and standard deviation per channel of pixels in [0, 1], from (N, 3, H, W) uint8.

    From histograms, so exact whatever the number of images. A channel without any variation gets
    one grey step as its deviation: it is divided by.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, deviations = [], []
    for channel in range(3):
        counts = torch.zeros(256, dtype=torch.float64)
        for start in range(0, len(images), 4096):
            pixels = images[start : start + 4096, channel].reshape(-1)
            counts += torch.bincount(pixels, minlength=256)
        share = counts / counts.sum()
        mean = float(share @ levels)
        variance = float(share @ (levels - mean).square())
        means.append(round(mean, 6))
        deviations.append(round(max(variance**0.5, 1 / 255), 6))
    return (means[0], means[1], means[2]), (deviations[0], deviations[1], deviations[2])
