"""Anybody's own images, and the file's name for what is amiss."""

import pytest
import torch
from PIL import Image

from benchmarks.datasets.load import load
from naturalinversion.errors import MissingError, UsageError
from tests.benchmarks.datasets.trees import MakeTree, error_line


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
    for _ in range(2):
        assert load(f"imagefolder:{folder}", root=folder).fingerprint == clean.fingerprint
    (line,) = capfd.readouterr().err.splitlines()
    assert str(folder / "train" / "class1" / "8.png.part") in line
    assert "2 in its folder" in line
    for file in (folder / "test" / "class0").iterdir():
        file.rename(file.with_suffix(".part"))
    assert "holds no image" in error_line(f"imagefolder:{folder}", folder, MissingError)


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
