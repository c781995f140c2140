"""Data sets by name, and at the size asked for."""

import os
from pathlib import Path

import pytest

from benchmarks.datasets import listing
from benchmarks.datasets.image_folder import ImageFolder, scan
from benchmarks.datasets.load import class_names, load, sizes
from naturalinversion.errors import UsageError
from tests.benchmarks.datasets.trees import MakeTree


@pytest.mark.parametrize(("name", "size"), [("cifar11", None), ("digits", 0)])
def test_what_cannot_be_asked_for(name: str, size: int | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cifar10, cifar100|image size 0"):
        load(name, root=tmp_path, image_size=size)


def test_sizes_are_those_of_what_is_loaded(make_tree: MakeTree, tmp_path: Path) -> None:
    folder = make_tree()
    for name in ("digits", f"imagefolder:{folder}"):
        dataset = load(name, root=tmp_path)
        assert sizes(name) == (len(dataset.classes), len(dataset.train), len(dataset.test))
    with pytest.raises(UsageError, match="cifar10, cifar100"):
        sizes("cifar11")


def test_a_tree_is_listed_once_until_one_of_its_folders_changes(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []

    def counted(folder: Path) -> ImageFolder:
        listed.append(folder)
        return scan(folder)

    monkeypatch.setattr(listing, "scan", counted)
    folder = make_tree()
    name = f"imagefolder:{folder}"
    classes, train, test = sizes(name)
    assert sizes(name) == (classes, train, test)
    names = class_names(name)
    assert (len(names), listed) == (classes, [folder])
    image = next((folder / "train" / names[0]).iterdir())
    image.with_name("another.png").write_bytes(image.read_bytes())
    future = image.parent.stat().st_mtime_ns + 10**9  # whatever the file system's clock ticks in
    os.utime(image.parent, ns=(future, future))
    assert sizes(name) == (classes, train + 1, test)
    assert listed == [folder] * 2
