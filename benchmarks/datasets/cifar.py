"""CIFAR-10 and CIFAR-100 under the data root, in either of two layouts.

torchvision's own (``cifar-10-batches-py/``, ``cifar-100-python/``, checked against the published
MD5 sums) is looked for first, then an ImageFolder tree (``cifar10/{train,test}/<class>/``).

Both are normalised with CIFAR-10's mean and standard deviation, as the official codes of DAFL,
DeepInversion and NaturalInversion do.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any

import torch
import torchvision
from filelock import FileLock
from torchvision.datasets.utils import check_integrity

from benchmarks.datasets.cache import cached
from benchmarks.datasets.cifar_layout import IMAGES, official_folder, tree_folder
from benchmarks.datasets.dataset import Dataset, Split
from benchmarks.datasets.image_folder import SPLITS, ImageFolder, decode, scan, warn_once
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.teacher.image_space import CIFAR10_MEAN, CIFAR10_STD

_SIZE = 32
_CLASSES = {"cifar10": 10, "cifar100": 100}
_OFFICIAL = {
    "cifar10": torchvision.datasets.CIFAR10,
    "cifar100": torchvision.datasets.CIFAR100,
}


def load_cifar(name: str, root: Path, image_size: int | None, download: bool) -> Dataset:
    """``name`` from ``root``, fetched there by torchvision first when absent and ``download``."""
    official, tree = official_folder(name, root), tree_folder(name, root)
    if official.is_dir() or (download and not tree.is_dir()):
        train, test, classes = _from_torchvision(name, root, download)
    elif tree.is_dir():
        train, test, classes = _from_tree(name, tree)
    else:
        raise _missing(name, root)
    train, test = train.resized(image_size), test.resized(image_size)
    return Dataset(name, train, test, classes, CIFAR10_MEAN, CIFAR10_STD)


def require_cifar(name: str, root: Path) -> None:
    """Raises what `load_cifar` raises for data that is absent or half copied; decodes no image."""
    if official_folder(name, root).is_dir():
        _check_files(name, root)
    elif (tree := tree_folder(name, root)).is_dir():
        _scan_whole(name, tree)
    else:
        raise _missing(name, root)


def _missing(name: str, root: Path) -> MissingError:
    return MissingError(
        f"{name} is missing: there is neither {official_folder(name, root)} (torchvision) nor "
        f"{tree_folder(name, root)}/{{train,test}}/<class>/ (ImageFolder); name its folder with "
        "--data-root or ask for it with --download"
    )


def _from_torchvision(
    name: str, root: Path, download: bool
) -> tuple[Split, Split, tuple[str, ...]]:
    if not download:
        _check_files(name, root)
    try:
        # Whatever torchvision prints goes to stderr: results go to stdout.
        with contextlib.redirect_stdout(sys.stderr), _download_lock(root, download):
            parts = [
                _OFFICIAL[name](
                    root, train=split == "train", download=download and split == "train"
                )
                for split in SPLITS
            ]
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise MissingError(f"{name} could not be fetched into {root}: {reason}") from error
    train, test = (
        Split(
            torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(),
            torch.tensor(part.targets, dtype=torch.int64),
        )
        for part in parts
    )
    return train, test, tuple(parts[0].classes)


def _download_lock(root: Path, download: bool) -> contextlib.AbstractContextManager[Any]:
    """One process fetches, the others wait and then find it."""
    if not download:
        return contextlib.nullcontext()
    root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".download.lock")


def _check_files(name: str, root: Path) -> None:
    """torchvision says only that something is wrong; a user needs to know with which file."""
    official = _OFFICIAL[name]
    listed = [*official.train_list, *official.test_list]
    for file, md5 in [*listed, (official.meta["filename"], official.meta["md5"])]:
        path = official_folder(name, root) / file
        if not path.is_file():
            raise MissingError(
                f"{path} is missing: {name} is half copied, copy it again or ask for it "
                "with --download"
            )
        if not check_integrity(path, md5):
            raise UsageError(
                f"{path} is damaged: its MD5 is not the published one, copy it again or ask for "
                "it with --download"
            )


def _scan_whole(name: str, folder: Path) -> ImageFolder:
    """The tree, which has as many classes as the data set."""
    tree = scan(folder)
    if len(tree.classes) != _CLASSES[name]:
        raise MissingError(
            f"{tree.folder} has {len(tree.classes)} class folders and {name} has "
            f"{_CLASSES[name]} classes: the data set is half copied or another one"
        )
    return tree


def _from_tree(name: str, folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    tree = _scan_whole(name, folder)
    for split, complete in IMAGES.items():
        if (count := len(tree.files[split])) != complete:
            warn_once(f"{tree.folder}/{split} holds {count:,} of {complete:,} images")
    train, test = cached(str(tree.folder), tree.stamp, lambda: decode(tree))
    if (size := train.images.shape[-1]) != _SIZE:
        raise UsageError(f"the images in {tree.folder} are {size}x{size} pixels, not 32x32")
    return train, test, tree.classes
