"""A data set in memory, and the fingerprint that tells it from any other."""

import hashlib
from dataclasses import dataclass

from torch import Tensor

Channels = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N labelled images."""

    images: Tensor  # (N, 3, H, W) uint8
    labels: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images, their classes and the normalisation classifiers see them in."""

    name: str
    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    mean: Channels  # of pixels in [0, 1]
    std: Channels
    fingerprint: str  # sha256 over the pixels and labels of both splits

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return int(self.train.images.shape[-1])


def assemble(
    name: str,
    train: ImageSet,
    test: ImageSet,
    classes: tuple[str, ...],
    mean: Channels,
    std: Channels,
) -> Dataset:
    """A `Dataset` with its fingerprint."""
    return Dataset(name, train, test, classes, mean, std, fingerprint(train, test))


def fingerprint(train: ImageSet, test: ImageSet) -> str:
    """sha256 over shapes, pixels and labels of both splits, in order."""
    digest = hashlib.sha256()
    for split in (train, test):
        digest.update(repr(tuple(split.images.shape)).encode())
        digest.update(split.images.contiguous().numpy().data)
        digest.update(split.labels.contiguous().numpy().data)
    return digest.hexdigest()
