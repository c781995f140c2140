"""A data set in memory: two labelled splits, and a fingerprint that tells it from any other."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

Channels = tuple[float, float, float]

_RESIZED_AT_ONCE = 4096  # images: resizing works in wider numbers than uint8


@dataclass(frozen=True, eq=False)
class Split:
    """N labelled images."""

    images: Tensor  # (N, 3, H, W) uint8
    labels: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, index: Tensor) -> "Split":
        """The images of ``index``, a mask or positions."""
        return Split(self.images[index], self.labels[index])

    def resized(self, size: int | None) -> "Split":
        """The split with images of ``size`` pixels a side, see `resize`."""
        return Split(resize(self.images, size), self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images, their classes and the normalisation classifiers see them in."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]  # by label
    mean: Channels  # of pixels in [0, 1]
    std: Channels

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return int(self.train.images.shape[-1])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the pixels and labels of both splits."""
        return fingerprint(self.train, self.test)

    def held_out(self) -> "Dataset":
        """The same with the last tenth of every class's training images as the test split.

        For choosing recipes: the test images are not looked at.
        """
        labels = self.train.labels
        last = torch.zeros(len(labels), dtype=torch.bool)
        for label in range(int(labels.max()) + 1):
            of_class = (labels == label).nonzero().flatten()
            last[of_class[len(of_class) - -(-len(of_class) // 10) :]] = True
        kept, tested = self.train.chosen(~last), self.train.chosen(last)
        return replace(self, train=kept, test=tested)


def fingerprint(train: Split, test: Split) -> str:
    """sha256 over shapes, pixels and labels of both splits, in order."""
    digest = hashlib.sha256()
    for split in (train, test):
        digest.update(repr(tuple(split.images.shape)).encode())
        digest.update(split.images.contiguous().numpy().data)
        digest.update(split.labels.contiguous().numpy().data)
    return digest.hexdigest()


def resize(images: Tensor, size: int | None) -> Tensor:
    """Square images (N, 3, H, H) uint8 at ``size`` pixels a side; None keeps them as they are.

    Bilinear, antialiased when they shrink.
    """
    if size is None or images.shape[-1] == size:
        return images
    from torchvision.transforms.v2 import functional  # takes seconds to import

    out = torch.empty((len(images), images.shape[1], size, size), dtype=torch.uint8)
    for start in range(0, len(images), _RESIZED_AT_ONCE):
        part = slice(start, start + _RESIZED_AT_ONCE)
        out[part] = functional.resize(images[part], [size, size], antialias=True)
    return out


def mean_and_std(images: Tensor) -> tuple[Channels, Channels]:
    """Mean and standard deviation per channel of pixels in [0, 1], from (N, 3, H, W) uint8.

    From histograms, so exact whatever the number of images. A channel without any variation gets
    one grey level as its deviation: it is divided by.
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
