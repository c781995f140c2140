"""What identifies a folder of images: their bytes and places, wherever it lies."""

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.datasets import content as module
from benchmarks.datasets.load import content
from naturalinversion.errors import MissingError
from tests.benchmarks.datasets.trees import MakeTree


def test_it_follows_the_images_and_not_the_place(make_tree: MakeTree, tmp_path: Path) -> None:
    folder = make_tree()
    first = content(f"imagefolder:{folder}")
    shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert content(f"imagefolder:{tmp_path / 'elsewhere'}") == first
    (folder / "train" / ".DS_Store").write_bytes(b"not an image")
    assert content(f"imagefolder:{folder}") == first
    image = folder / "train" / "class0" / "0.png"
    found = {first}
    shutil.copyfile(image, image.with_name("more.png"))
    found.add(content(f"imagefolder:{folder}"))
    image.write_bytes((folder / "train" / "class1" / "0.png").read_bytes())
    found.add(content(f"imagefolder:{folder}"))
    image.with_name("more.png").rename(folder / "train" / "class1" / "more.png")
    found.add(content(f"imagefolder:{folder}"))
    assert len(found) == 4


def test_files_are_read_once(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    folder, reads = make_tree(), []
    read_all = module._read_all
    monkeypatch.setattr(module, "_read_all", lambda found: reads.append(1) or read_all(found))
    first = content(f"imagefolder:{folder}")
    assert content(f"imagefolder:{folder}") == first
    assert len(reads) == 1
    image = folder / "test" / "class0" / "0.png"
    os.utime(image, (0, 0))
    assert content(f"imagefolder:{folder}") == first
    assert len(reads) == 2
    (kept,) = cache.rglob("*.sha256")
    kept.write_text("half of")
    assert content(f"imagefolder:{folder}") == first
    assert len(reads) == 3


def test_other_data_sets_are_their_names_and_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert content("cifar10") == content("digits") == ""
    with pytest.raises(MissingError, match="there is no folder"):
        content(f"imagefolder:{tmp_path / 'nowhere'}")
