"""The real images of the suite: what teachers are trained on and students are tested on.

`load` gives uint8 pixels held in memory, with a fixed training and test split:

* ``digits``: inside scikit-learn, nothing to fetch;
* ``cifar10``, ``cifar100``: torchvision's folders or an ImageFolder tree under the data root;
* ``imagefolder:PATH``: anybody's own images, ``PATH/{train,test}/<class>/<image>``.

Nothing is written into a data folder unless a download was asked for, and no data set ever stands
in for another.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.datasets.dataset import Dataset, ImageSet
from benchmarks.datasets.own import count_own, load_own
from naturalinversion.errors import UsageError

__all__ = ["NAMES", "OWN", "Dataset", "ImageSet", "load", "sizes"]

OWN = "imagefolder:"


def _digits(root: Path, image_size: int | None, download: bool) -> Dataset:
    from benchmarks.datasets.digits import load_digits  # scikit-learn takes seconds to import

    return load_digits(image_size)


def _cifar(name: str, root: Path, image_size: int | None, download: bool) -> Dataset:
    from benchmarks.datasets import cifar  # so does torchvision

    found = {"cifar10": cifar.CIFAR10, "cifar100": cifar.CIFAR100}[name]
    return cifar.load_cifar(found, root, image_size, download)


_LOADERS: dict[str, Callable[[Path, int | None, bool], Dataset]] = {
    "digits": _digits,
    "cifar10": partial(_cifar, "cifar10"),
    "cifar100": partial(_cifar, "cifar100"),
}
NAMES = tuple(_LOADERS)
_SIZES = {"digits": (10, 1297, 500), "cifar10": (10, 50000, 10000), "cifar100": (100, 50000, 10000)}


def load(
    name: str, *, root: Path, image_size: int | None = None, download: bool = False
) -> Dataset:
    """The data set ``name``, with images of ``image_size`` pixels a side (None: their own size).

    ``root`` is where the CIFARs are looked for; ``imagefolder:PATH`` is relative to the working
    directory. Raises `UsageError` for an unknown name or an image that can't be read, and
    `MissingError` for data that is absent or half copied.
    """
    if image_size is not None and image_size < 1:
        raise UsageError(f"image size {image_size} is not a number of pixels above zero")
    if name.startswith(OWN):
        return load_own(Path(name.removeprefix(OWN)).expanduser(), image_size)
    loader = _LOADERS.get(name)
    if loader is None:
        raise UsageError(f"unknown data set {name!r}: choose {', '.join(NAMES)} or {OWN}PATH")
    return loader(Path(root).expanduser(), image_size, download)


def sizes(name: str) -> tuple[int, int, int]:
    """Classes, training images and test images of a data set, without decoding an image."""
    if name.startswith(OWN):
        return count_own(Path(name.removeprefix(OWN)).expanduser())
    if name not in _SIZES:
        raise UsageError(f"unknown data set {name!r}: choose {', '.join(NAMES)} or {OWN}PATH")
    return _SIZES[name]
