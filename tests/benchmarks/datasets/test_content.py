"""What identifies a folder of images: their bytes and places, wherever it lies."""

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.datasets import content as module
from benchmarks.datasets.load import content
from naturalinversion.errors import MissingError
from tests.benchmarks.datasets.trees import MakeTree


def of(folder: Path) -> str:
    """That of somebody's own images; the data root doesn't matter."""
    return content(f"imagefolder:{folder}", folder.parent / "no root")


def test_it_follows_the_images_and_not_the_place(make_tree: MakeTree, tmp_path: Path) -> None:
    folder = make_tree()
    first = of(folder)
    shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert of(tmp_path / "elsewhere") == first
    (folder / "train" / ".DS_Store").write_bytes(b"not an image")
    assert of(folder) == first
    image = folder / "train" / "class0" / "0.png"
    found = {first}
    shutil.copyfile(image, image.with_name("more.png"))
    found.add(of(folder))
    image.write_bytes((folder / "train" / "class1" / "0.png").read_bytes())
    found.add(of(folder))
    image.with_name("more.png").rename(folder / "train" / "class1" / "more.png")
    found.add(of(folder))
    assert len(found) == 4


def test_files_are_read_once(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    folder, reads = make_tree(), []
    read_all = module._read_all
    monkeypatch.setattr(module, "_read_all", lambda found: reads.append(1) or read_all(found))
    first = of(folder)
    assert of(folder) == first
    assert len(reads) == 1
    image = folder / "test" / "class0" / "0.png"
    os.utime(image, (0, 0))
    assert of(folder) == first
    assert len(reads) == 2
    (kept,) = cache.rglob("*.sha256")
    kept.write_text("half of")
    assert of(folder) == first
    assert len(reads) == 3


def test_other_data_sets_are_their_names_and_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert content("cifar10", tmp_path) == content("digits", tmp_path) == ""
    with pytest.raises(MissingError, match="there is no folder"):
        of(tmp_path / "nowhere")


def test_a_cifar_that_is_not_whole_is_its_images(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.datasets.cifar_layout.IMAGES", {"train": 40, "test": 20})
    folder = make_tree("cifar10", classes=10)
    root = folder.parent
    assert content("cifar10", root) == "", "whole"
    last = folder / "train" / "class9" / "3.png"
    pixels = last.read_bytes()
    last.unlink()
    half = content("cifar10", root)
    assert half == of(folder) != ""
    (folder / "test" / "class0" / "1.png").unlink()
    assert content("cifar10", root) not in ("", half)
    (root / "cifar-10-batches-py").mkdir()
    assert content("cifar10", root) == "", "torchvision's layout is read, and checked as it is"
    (root / "cifar-10-batches-py").rmdir()
    (folder / "test" / "class0" / "1.png").write_bytes(pixels)
    last.write_bytes(pixels)
    assert content("cifar10", root) == "", "whole again"
