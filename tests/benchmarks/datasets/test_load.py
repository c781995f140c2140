"""Data sets by name, and at the size asked for."""

from pathlib import Path

import pytest

from benchmarks.datasets.load import load, sizes
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
