"""Where CIFAR-10 and CIFAR-100 lie under the data root, and how many images make them whole."""

from pathlib import Path

from benchmarks.datasets.content import content_sha256
from benchmarks.datasets.image_folder import scan

IMAGES = {"train": 50_000, "test": 10_000}
OFFICIAL = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}  # torchvision's


def official_folder(name: str, root: Path) -> Path:
    """That of torchvision's layout, which is looked for first."""
    return root / OFFICIAL[name]


def tree_folder(name: str, root: Path) -> Path:
    """That of the ImageFolder tree."""
    return root / name


def cifar_content(name: str, root: Path) -> str:
    """What identifies the images of a tree that holds more or fewer than the data set.

    Empty for a whole one, for torchvision's layout, and where there is neither: its name says it.
    """
    tree = tree_folder(name, root)
    if official_folder(name, root).is_dir() or not tree.is_dir():
        return ""
    found = scan(tree)
    whole = all(len(found.files[split]) == count for split, count in IMAGES.items())
    return "" if whole else content_sha256(found)
