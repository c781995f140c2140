"""Anybody's own images, and the file's name for what is amiss."""

import pytest
import torch
from PIL import Image

from benchmarks.datasets.image_folder import mean_and_std
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


def test_a_channel_without_variation_can_still_be_divided_by() -> None:
    mean, std = mean_and_std(torch.full((2, 3, 4, 4), 51, dtype=torch.uint8))
    assert mean == (0.2, 0.2, 0.2)
    assert min(std) > 0
