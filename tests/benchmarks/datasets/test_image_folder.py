"""Anybody's own images, and the file's name for what is amiss."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.datasets import image_folder
from benchmarks.datasets.load import class_names, content, load, sizes
from naturalinversion.errors import MissingError, UsageError
from tests.benchmarks.datasets.trees import MakeTree, error_line

NOWHERE = Path("nowhere")


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_unreadable_image_is_named(damage: str, make_tree: MakeTree) -> None:
    folder = make_tree()
    victim = folder / "test" / "class1" / "1.png"
    content = {"truncated": victim.read_bytes()[:200], "text": b"not an image", "empty": b""}
    victim.write_bytes(content[damage])
    assert str(victim) in error_line(f"imagefolder:{folder}", folder, UsageError)


def test_own_images(make_tree: MakeTree) -> None:
    folder = make_tree(size=24)
    (folder / "train" / "class0" / ".DS_Store").write_bytes(b"hidden")
    dataset = load(f"imagefolder:{folder}", root=folder)
    assert dataset.name == "imagefolder-own"
    assert dataset.classes == ("class0", "class1", "class2")
    pixels = dataset.train.images.double() / 255
    assert dataset.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-6)
    assert dataset.std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), abs=1e-6)


def test_own_images_of_unlike_size_need_an_image_size(make_tree: MakeTree) -> None:
    folder = make_tree(size=24)
    odd = folder / "train" / "class2" / "3.png"
    Image.new("L", (60, 40), 128).save(odd)
    assert str(odd) in error_line(f"imagefolder:{folder}", folder, UsageError)
    dataset = load(f"imagefolder:{folder}", root=folder, image_size=16)
    assert dataset.train.images.shape == (12, 3, 16, 16)
    assert torch.all(dataset.train.images[-1] == 128)


def test_own_images_whose_splits_disagree(make_tree: MakeTree) -> None:
    folder = make_tree()
    (folder / "test" / "class0").rename(folder / "test" / "other")
    message = error_line(f"imagefolder:{folder}", folder, MissingError)
    assert str(folder / "train" / "other") in message
    assert "train" in error_line(f"imagefolder:{folder}/train", folder, MissingError)
    assert "nowhere" in error_line(f"imagefolder:{folder}/nowhere", folder, MissingError)


LEFT_BEHIND = ("Thumbs.db", "desktop.ini", "DESKTOP.INI", ".DS_Store", "._0.png", "Icon\r")


def test_what_file_managers_leave_behind_is_passed_over(
    make_tree: MakeTree, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_tree()
    clean = load(f"imagefolder:{folder}", root=folder)
    for place in (folder / "train", folder / "train" / "class1", folder / "test" / "class2"):
        for name in LEFT_BEHIND:
            (place / name).write_bytes(b"no image")
        (place / "@eaDir").mkdir()
    (folder / "train" / "__MACOSX").mkdir()
    again = load(f"imagefolder:{folder}", root=folder)
    assert again.fingerprint == clean.fingerprint
    assert again.classes == clean.classes
    assert capfd.readouterr().err == ""


def test_half_copied_files_are_left_out_and_said_once(
    make_tree: MakeTree, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_tree()
    clean = load(f"imagefolder:{folder}", root=folder)
    for name in ("8.png.part", "9.PNG.crdownload"):
        (folder / "train" / "class1" / name).write_bytes(b"half an image")
    (folder / "test" / "class0" / "9.png.part").write_bytes(b"half an image")
    for _ in range(2):
        assert load(f"imagefolder:{folder}", root=folder).fingerprint == clean.fingerprint
    (line,) = capfd.readouterr().err.splitlines()
    assert str(folder / "train" / "class1" / "8.png.part") in line
    assert f"3 in {folder}" in line
    for file in (folder / "test" / "class0").iterdir():
        file.rename(file.with_suffix(".part"))
    assert "holds no image" in error_line(f"imagefolder:{folder}", folder, MissingError)


def test_files_beside_the_class_folders_are_left_out_and_said_once(
    make_tree: MakeTree, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_tree()
    clean = load(f"imagefolder:{folder}", root=folder)
    image = folder / "train" / "class0" / "0.png"
    for name in ("train/b.png", "train/a.png", "test/a.png"):
        (folder / name).write_bytes(image.read_bytes())
    for _ in range(2):
        assert load(f"imagefolder:{folder}", root=folder).fingerprint == clean.fingerprint
    (line,) = capfd.readouterr().err.splitlines()
    first = folder / "train" / "a.png"
    assert line == f"warning: left out as in no class folder: {first}, 3 in {folder}"


NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("where", ["class", "folder", "folder that is missing"])
def test_a_name_that_no_record_can_hold_is_one_line(where: str, make_tree: MakeTree) -> None:
    folder = make_tree()
    if where == "class":
        for split in ("train", "test"):
            (folder / split / "class1").rename(folder / split / NOT_UTF8)
    else:
        name = folder.with_name(NOT_UTF8)
        folder = folder.rename(name) if where == "folder" else name
    line = error_line(f"imagefolder:{folder}", folder, UsageError)
    assert line.endswith(r"caf\xe9: a name that is not UTF-8; rename it")
    for ask in (sizes, class_names, lambda name: content(name, folder)):
        with pytest.raises(UsageError, match="not UTF-8"):
            ask(f"imagefolder:{folder}")


def test_a_tree_above_which_a_name_is_not_utf8_is_read(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_tree(f"{NOT_UTF8}/own").parent)
    for _ in range(2):  # decoded, then from the cache
        assert len(load("imagefolder:own", root=NOWHERE).train) == 12


def test_a_class_may_be_called_like_an_unfinished_file(make_tree: MakeTree) -> None:
    folder = make_tree(names="class{}.part")
    dataset = load(f"imagefolder:{folder}", root=folder)
    assert dataset.classes == ("class0.part", "class1.part", "class2.part")


def test_numbers_are_ordered_by_value_and_other_names_as_text(make_tree: MakeTree) -> None:
    folder = make_tree(classes=12, names="{}")
    by_value = load(f"imagefolder:{folder}", root=folder)
    assert by_value.classes == tuple(str(label) for label in range(12))
    assert torch.equal(by_value.test.images[:, 0, 0, 0].long(), by_value.test.labels)
    folder = make_tree("mixed", classes=12, names="{}")
    for split in ("train", "test"):
        (folder / split / "11").rename(folder / split / "eleven")
    as_text = load(f"imagefolder:{folder}", root=folder)
    assert as_text.classes[:3] == ("0", "1", "10")


@pytest.mark.parametrize("kind", ["png", "tiff", "big-endian tiff"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str, make_tree: MakeTree) -> None:
    """A 16-bit grey of 256 is nearly black; it came out white, as did all above it."""
    folder = make_tree(size=8)
    greys = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)
    path = folder / "train" / "class0" / "0.png"
    order = ">u2" if kind.startswith("big") else "<u2"
    Image.fromarray(greys.astype(order)).save(path, kind.split()[-1])
    images = load(f"imagefolder:{folder}", root=folder).train.images
    expected = torch.from_numpy((greys / 257).round().astype(np.uint8))
    assert torch.equal(images[0], expected.expand(3, 8, 8))


def test_transparent_parts_are_white(make_tree: MakeTree) -> None:
    """Icons are often black on what is transparent and black as well."""
    folder = make_tree(size=8)
    icon = np.zeros((8, 8, 4), np.uint8)
    icon[2:6, 2:6, 3] = 255
    for name, image in {
        "0.png": Image.fromarray(icon),
        "1.png": Image.fromarray(icon).quantize(2),
    }.items():
        image.save(folder / "train" / "class0" / name)
    images = load(f"imagefolder:{folder}", root=folder).train.images
    expected = torch.full((3, 8, 8), 255, dtype=torch.uint8)
    expected[:, 2:6, 2:6] = 0
    for number in (0, 1):
        assert torch.equal(images[number], expected)


def test_photographs_are_upright(make_tree: MakeTree) -> None:
    folder = make_tree(size=8)
    greys = np.arange(64, dtype=np.uint8).reshape(8, 8)
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    Image.fromarray(greys).save(folder / "train" / "class0" / "0.png", exif=exif)
    images = load(f"imagefolder:{folder}", root=folder).train.images
    assert torch.equal(images[0, 0], torch.from_numpy(greys[::-1, ::-1].copy()))


@pytest.mark.parametrize("name", ["imagefolder:.", "imagefolder:..", "imagefolder:~nobody-here/x"])
def test_a_folder_without_a_name_is_one_line(name: str) -> None:
    line = error_line(name, NOWHERE, UsageError)
    assert line.endswith(
        "nobody has this home folder" if "~" in name else f":{Path(name[12:]).resolve()}"
    )


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_a_white_are_refused(dtype: type, make_tree: MakeTree) -> None:
    folder = make_tree(size=8)
    path = folder / "train" / "class0" / "0.png"
    Image.fromarray(np.zeros((8, 8), dtype)).save(path, "TIFF")
    line = error_line(f"imagefolder:{folder}", folder, UsageError)
    assert str(path) in line
    assert "32-bit numbers, and nothing says which is white" in line


def test_pixels_that_an_earlier_decoder_kept_are_not_used(
    make_tree: MakeTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tree(size=8)
    before = image_folder.scan(folder).stamp
    monkeypatch.setattr(image_folder, "_DECODER", 1)
    assert image_folder.scan(folder).stamp != before
