"""Classes and numbers of images of an ImageFolder tree, listed once within a process.

Every cell asks for them. A tree is listed again when one of its folders has changed.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from benchmarks.datasets.image_folder import SPLITS, scan


class Listing(NamedTuple):
    """The names of the classes, by label, and how many images there are."""

    classes: tuple[str, ...]
    train: int
    test: int


def listing(folder: Path) -> Listing:
    """That of the tree in ``folder``. Raises what `scan` does."""
    folder = folder.absolute()
    return _listing(folder, _changed(folder))


@lru_cache(maxsize=16)
def _listing(folder: Path, changed: tuple[tuple[str, int], ...]) -> Listing:
    found = scan(folder)
    return Listing(found.classes, len(found.files["train"]), len(found.files["test"]))


def _changed(folder: Path) -> tuple[tuple[str, int], ...]:
    """When the folders of splits and classes changed last; empty where `scan` has to say why."""
    try:
        splits = [folder / split for split in SPLITS]
        inside = [Path(entry) for split in splits for entry in os.scandir(split) if entry.is_dir()]
        return tuple((str(path), path.stat().st_mtime_ns) for path in sorted([*splits, *inside]))
    except OSError:
        return ()
