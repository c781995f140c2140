"""Decoded trees are kept, and never believed when they changed."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.datasets.load import load
from tests.benchmarks.datasets.trees import MakeTree


def test_images_are_decoded_once(
    make_tree: MakeTree, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tree("cifar10", classes=10)
    before = sorted(folder.rglob("*"))
    first = load("cifar10", root=folder.parent)
    assert sorted(folder.rglob("*")) == before  # nothing is written beside the images
    with monkeypatch.context() as patched:
        patched.setattr(Image, "open", refuse)
        assert load("cifar10", root=folder.parent).fingerprint == first.fingerprint
    victim = folder / "train" / "class3" / "0.png"
    Image.new("RGB", (32, 32), (1, 2, 3)).save(victim)
    assert load("cifar10", root=folder.parent).fingerprint != first.fingerprint


def refuse(*arguments: object) -> None:
    raise AssertionError("an image was opened again")


@pytest.mark.parametrize("position", [-1, 3, None])
def test_a_damaged_cache_is_made_again(
    position: int | None, make_tree: MakeTree, cache: Path
) -> None:
    folder = make_tree()
    first = load(f"imagefolder:{folder}", root=folder)
    (file,) = cache.rglob("*.safetensors")
    content = bytearray(file.read_bytes())
    if position is None:
        content = content[: len(content) // 2]
    else:
        content[position] ^= 1
    file.write_bytes(content)
    assert load(f"imagefolder:{folder}", root=folder).fingerprint == first.fingerprint
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_without_a_place_for_the_cache_nothing_else_changes(
    make_tree: MakeTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tree()
    first = load(f"imagefolder:{folder}", root=folder)
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load(f"imagefolder:{folder}", root=folder).fingerprint == first.fingerprint
