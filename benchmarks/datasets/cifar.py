"""CIFAR-10 and CIFAR-100 under the data root, in either of two layouts.

torchvision's own (``cifar-10-batches-py/``, ``cifar-100-python/``, checked against the published
MD5 sums) is looked for first, then an ImageFolder tree (``cifar10/{train,test}/<class>/``).

Both are normalised with CIFAR-10's mean and standard deviation, as the official codes of DAFL,
DeepInversion and NaturalInversion do.
"""

import contextlib
import logging
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torchvision
from filelock import FileLock
from torchvision.datasets.utils import check_integrity
from tqdm import tqdm

from benchmarks.datasets.cache import cached
from benchmarks.datasets.dataset import Dataset, ImageSet, assemble
from benchmarks.datasets.image_folder import SPLITS, decode, scan
from benchmarks.datasets.resize import resize_set
from naturalinversion.errors import MissingError, UsageError
from naturalinversion.teacher.teacher import CIFAR10_MEAN, CIFAR10_STD

log = logging.getLogger(__name__)

_SIZE = 32
_COMPLETE = {"train": 50_000, "test": 10_000}


@dataclass(frozen=True)
class Cifar:
    """Which of the two."""

    name: str
    classes: int
    official: type[torchvision.datasets.CIFAR10]


CIFAR10 = Cifar("cifar10", 10, torchvision.datasets.CIFAR10)
CIFAR100 = Cifar("cifar100", 100, torchvision.datasets.CIFAR100)


def load_cifar(which: Cifar, root: Path, image_size: int | None, download: bool) -> Dataset:
    """``which`` from ``root``, fetched there by torchvision first when absent and ``download``."""
    official = root / which.official.base_folder
    tree = root / which.name
    if official.is_dir() or (download and not tree.is_dir()):
        train, test, classes = _from_torchvision(which, root, download)
    elif tree.is_dir():
        train, test, classes = _from_tree(which, tree)
    else:
        raise MissingError(
            f"{which.name} is missing: there is neither {official} (torchvision) nor "
            f"{tree}/{{train,test}}/<class>/ (ImageFolder); name its folder with --data-root or "
            "ask for it with --download"
        )
    return assemble(
        which.name,
        resize_set(train, image_size),
        resize_set(test, image_size),
        classes,
        CIFAR10_MEAN,
        CIFAR10_STD,
    )


def _from_torchvision(
    which: Cifar, root: Path, download: bool
) -> tuple[ImageSet, ImageSet, tuple[str, ...]]:
    if not download:
        _check_files(which, root)
    try:
        with contextlib.redirect_stdout(sys.stderr), _alone(root, download):  # stdout: results
            parts = [
                which.official(root, train=split == "train", download=download and split == "train")
                for split in SPLITS
            ]
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise MissingError(f"{which.name} could not be fetched into {root}: {reason}") from error
    train, test = (
        ImageSet(
            torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(),
            torch.tensor(part.targets, dtype=torch.int64),
        )
        for part in parts
    )
    return train, test, tuple(parts[0].classes)


def _alone(root: Path, download: bool) -> contextlib.AbstractContextManager[Any]:
    """One process fetches, the others wait and then find it."""
    if not download:
        return contextlib.nullcontext()
    root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".download.lock")


def _check_files(which: Cifar, root: Path) -> None:
    """torchvision says only that something is wrong; a user needs to know with which file."""
    official = which.official
    listed = [*official.train_list, *official.test_list]
    for name, md5 in [*listed, (official.meta["filename"], official.meta["md5"])]:
        path = root / official.base_folder / name
        if not path.is_file():
            raise MissingError(
                f"{path} is missing: {which.name} is half copied, copy it again or ask for it "
                "with --download"
            )
        if not check_integrity(path, md5):
            raise UsageError(
                f"{path} is damaged: its MD5 is not the published one, copy it again or ask for "
                "it with --download"
            )


def _from_tree(which: Cifar, folder: Path) -> tuple[ImageSet, ImageSet, tuple[str, ...]]:
    tree = scan(folder, numbered=True)
    if len(tree.classes) != which.classes:
        raise MissingError(
            f"{tree.folder} has {len(tree.classes)} class folders and {which.name} has "
            f"{which.classes} classes: the data set is half copied or another one"
        )
    for split, complete in _COMPLETE.items():
        count = len(tree.files[split])
        if count != complete:
            _say_once(f"{tree.folder}/{split} holds {count:,} of {complete:,} images")
    train, test = cached(str(tree.folder), tree.stamp, lambda: decode(tree))
    if train.images.shape[-1] != _SIZE:
        size = train.images.shape[-1]
        raise UsageError(f"the images in {tree.folder} are {size}x{size} pixels, not 32x32")
    return train, test, tree.classes


@cache
def _say_once(line: str) -> None:
    """To the cell's log and to whom it concerns: numbers of such data are not the paper's."""
    log.warning(line)
    tqdm.write(line, file=sys.stderr)
