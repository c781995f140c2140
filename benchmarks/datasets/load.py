"""The real images of the suite: what teachers are trained on and students are tested on.

`load` gives uint8 pixels held in memory, with a fixed training and test split:

* ``digits``: inside scikit-learn, nothing to fetch;
* ``cifar10``, ``cifar100``: torchvision's folders or an ImageFolder tree under the data root;
* ``imagefolder:PATH``: anybody's own images, ``PATH/{train,test}/<class>/<image>``, the classes in
  the order of their names, numbers by value.

Nothing is written into a data folder unless a download was asked for, and no data set ever stands
in for another.
"""

from pathlib import Path

from benchmarks.datasets.cifar_layout import OFFICIAL, cifar_content
from benchmarks.datasets.content import content_sha256
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.image_folder import load_image_folder, require_utf8, scan
from benchmarks.datasets.listing import listing
from naturalinversion.errors import UsageError

_OWN = "imagefolder:"
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
    folder = _folder(name)
    if folder is not None:
        return load_image_folder(folder, image_size)
    if name == "digits":
        from benchmarks.datasets.digits import load_digits  # scikit-learn takes seconds to import

        return load_digits(image_size)
    from benchmarks.datasets.cifar import load_cifar  # so does torchvision

    return load_cifar(name, _home_expanded(root), image_size, download)


def require(name: str, root: Path) -> None:
    """Raises `MissingError` or `UsageError`, as `load` does without a download, for a data set that
    is absent or half copied; decodes no image.
    """
    if _folder(name) is not None:
        sizes(name)
    elif name in OFFICIAL:
        from benchmarks.datasets.cifar import require_cifar

        require_cifar(name, _home_expanded(root))


def sizes(name: str) -> tuple[int, int, int]:
    """Classes, training images and test images of a data set, without decoding an image."""
    folder = _folder(name)
    if folder is None:
        return _SIZES[name]
    found = listing(folder)
    return len(found.classes), found.train, found.test


def class_names(name: str) -> tuple[str, ...]:
    """Those of a folder of anybody's own images, by label; empty for data sets known by name."""
    folder = _folder(name)
    return () if folder is None else listing(folder).classes


def content(name: str, root: Path) -> str:
    """What identifies the images in a folder of anybody's own, or in a copy of a CIFAR as a tree
    that is not whole; empty for data sets that their name identifies.

    Other images may lie there at another time: when the copy is complete, say.
    """
    folder = _folder(name)
    if folder is not None:
        return content_sha256(scan(folder.resolve()))
    return cifar_content(name, _home_expanded(root)) if name in OFFICIAL else ""


def _home_expanded(folder: Path | str) -> Path:
    """With the home folder in place of ``~``. Raises `UsageError` for that of nobody."""
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{folder}: nobody has this home folder") from error


def _folder(name: str) -> Path | None:
    """The folder of anybody's own images; None for the data sets known by name."""
    require_utf8(name)
    if name.startswith(_OWN):
        folder = _home_expanded(name.removeprefix(_OWN))
        if folder.name in ("", ".."):  # cells and tables are called after it
            raise UsageError(f"{name}: name the folder, such as {_OWN}{folder.resolve()}")
        return folder
    if name not in _SIZES:
        raise UsageError(f"unknown data set {name!r}: choose {', '.join(_SIZES)} or {_OWN}PATH")
    return None
