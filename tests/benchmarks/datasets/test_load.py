"""Data sets by name, and at the size asked for."""

from pathlib import Path

import pytest

from benchmarks.datasets.load import load, sizes
from naturalinversion.errors import UsageError
from tests.benchmarks.datasets.trees import MakeTree


def test_image_size_resizes_and_changes_the_fingerprint(tmp_path: Path) -> None:
    small = load("digits", root=tmp_path, image_size=16)
    assert small.test.images.shape == (500, 3, 16, 16)
    assert small.image_size == 16
    assert small.fingerprint != load("digits", root=tmp_path).fingerprint


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
