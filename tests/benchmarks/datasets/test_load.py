"""Data sets: fixed splits, both CIFAR layouts, own images, and one clear line for what is amiss."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from benchmarks.datasets.dataset import Dataset, ImageSet
from benchmarks.datasets.load import load
from benchmarks.datasets.own import measure
from naturalinversion.errors import BenchmarkError, MissingError, UsageError

Tree = Callable[..., Path]

DIGITS_8 = "05e606d1afb14e8f8860589fe368c2501635f62f4e06d4efac8ca3be6569c62a"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def make_tree(tmp_path: Path) -> Tree:
    def make(name: str = "own", classes: int = 3, size: int = 32, names: str = "class{}") -> Path:
        rng = np.random.default_rng(0)
        for split, count in (("train", 4), ("test", 2)):
            for label in range(classes):
                folder = tmp_path / name / split / names.format(label)
                folder.mkdir(parents=True)
                for index in range(count):
                    pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
                    pixels[0, 0] = label
                    Image.fromarray(pixels).save(folder / f"{index}.png")
        return tmp_path / name

    return make


def one_line(name: str, root: Path, error: type[BenchmarkError], **options: int) -> str:
    with pytest.raises(error) as caught:
        load(name, root=root, image_size=options.get("image_size"))
    message = str(caught.value)
    assert "\n" not in message
    return message


def rows(images: ImageSet) -> set[bytes]:
    return {image.numpy().tobytes() for image in images.images}


def test_digits_split_is_fixed_stratified_and_disjoint(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path, image_size=8)
    assert (len(digits.train), len(digits.test)) == (1297, 500)
    assert not rows(digits.train) & rows(digits.test)
    counts = torch.bincount(digits.test.labels)
    assert counts.min() >= 48
    assert counts.max() <= 52
    # At 8x8 nothing is resized: these are the bytes of every machine and version.
    assert digits.fingerprint == DIGITS_8


def test_digits_are_three_equal_channels_of_32_pixels(tmp_path: Path) -> None:
    digits = load("digits", root=tmp_path)
    assert digits.train.images.shape == (1297, 3, 32, 32)
    assert digits.train.images.dtype == torch.uint8
    assert torch.equal(digits.train.images[:, 0], digits.train.images[:, 2])
    assert int(digits.train.images.max()) == 255
    assert digits.classes == tuple("0123456789")
    mean, std = measure(digits.train.images)
    assert digits.mean == pytest.approx(mean, abs=1e-4)
    assert digits.std == pytest.approx(std, abs=1e-4)


def test_image_size_resizes_and_changes_the_fingerprint(tmp_path: Path) -> None:
    small = load("digits", root=tmp_path, image_size=16)
    assert small.test.images.shape == (500, 3, 16, 16)
    assert small.image_size == 16
    assert small.fingerprint != load("digits", root=tmp_path).fingerprint


@pytest.mark.parametrize(("name", "size"), [("cifar11", None), ("digits", 0)])
def test_what_cannot_be_asked_for(name: str, size: int | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cifar10, cifar100|image size 0"):
        load(name, root=tmp_path, image_size=size)


@pytest.mark.parametrize(
    ("name", "official"), [("cifar10", "cifar-10-batches-py"), ("cifar100", "cifar-100-python")]
)
def test_missing_cifar_names_both_places_and_both_flags(
    name: str, official: str, tmp_path: Path
) -> None:
    message = one_line(name, tmp_path, MissingError)
    for part in (f"{tmp_path}/{official}", f"{tmp_path}/{name}/", "--data-root", "--download"):
        assert part in message


def test_cifar_tree(make_tree: Tree) -> None:
    root = make_tree("cifar10", classes=10).parent
    dataset = load("cifar10", root=root)
    assert dataset.train.images.shape == (40, 3, 32, 32)
    assert torch.equal(dataset.train.labels, torch.arange(10).repeat_interleave(4))
    assert torch.equal(dataset.train.images[:, 0, 0, 0].long(), dataset.train.labels)
    assert dataset.mean == (0.4914, 0.4822, 0.4465)
    assert load("cifar10", root=root, image_size=16).train.images.shape[-1] == 16


def test_half_a_data_set_is_said_once(make_tree: Tree, capfd: pytest.CaptureFixture[str]) -> None:
    folder = make_tree("cifar10", classes=10)
    for _ in range(2):
        load("cifar10", root=folder.parent)
    said = capfd.readouterr().err.splitlines()
    assert said == [
        f"{folder}/train holds 40 of 50,000 images",
        f"{folder}/test holds 20 of 10,000 images",
    ]


def test_numbered_class_folders_keep_their_numbers(make_tree: Tree) -> None:
    root = make_tree("cifar100", classes=100, names="{}").parent
    dataset = load("cifar100", root=root)
    assert dataset.classes == tuple(str(label) for label in range(100))
    assert torch.equal(dataset.test.images[:, 0, 0, 0].long(), dataset.test.labels)


def test_half_copied_tree_names_the_class_folder(make_tree: Tree) -> None:
    folder = make_tree("cifar10", classes=10)
    missing = folder / "train" / "class9"
    for file in missing.iterdir():
        file.unlink()
    assert str(missing) in one_line("cifar10", folder.parent, MissingError)
    missing.rmdir()
    assert str(missing) in one_line("cifar10", folder.parent, MissingError)
    (folder / "test" / "class9" / "0.png").unlink()
    (folder / "test" / "class9" / "1.png").unlink()
    (folder / "test" / "class9").rmdir()
    assert "9 class folders" in one_line("cifar10", folder.parent, MissingError)


def test_cifar_tree_of_another_size(make_tree: Tree) -> None:
    folder = make_tree("cifar10", classes=10, size=28)
    assert "28x28" in one_line("cifar10", folder.parent, UsageError)


@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_unreadable_image_is_named(damage: str, make_tree: Tree) -> None:
    folder = make_tree()
    victim = folder / "test" / "class1" / "1.png"
    content = {"truncated": victim.read_bytes()[:200], "text": b"not an image", "empty": b""}
    victim.write_bytes(content[damage])
    assert str(victim) in one_line(f"imagefolder:{folder}", folder, UsageError)


def test_own_images(make_tree: Tree) -> None:
    folder = make_tree(size=24)
    (folder / "train" / "class0" / ".DS_Store").write_bytes(b"hidden")
    dataset = load(f"imagefolder:{folder}", root=folder)
    assert dataset.name == "imagefolder-own"
    assert dataset.classes == ("class0", "class1", "class2")
    pixels = dataset.train.images.double() / 255
    assert dataset.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-6)
    assert dataset.std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), abs=1e-6)


def test_own_images_of_unlike_size_need_an_image_size(make_tree: Tree) -> None:
    folder = make_tree(size=24)
    odd = folder / "train" / "class2" / "3.png"
    Image.new("L", (60, 40), 128).save(odd)
    assert str(odd) in one_line(f"imagefolder:{folder}", folder, UsageError)
    dataset = load(f"imagefolder:{folder}", root=folder, image_size=16)
    assert dataset.train.images.shape == (12, 3, 16, 16)
    assert torch.all(dataset.train.images[-1] == 128)


def test_own_images_whose_splits_disagree(make_tree: Tree) -> None:
    folder = make_tree()
    (folder / "test" / "class0").rename(folder / "test" / "other")
    message = one_line(f"imagefolder:{folder}", folder, MissingError)
    assert str(folder / "train" / "other") in message
    assert "train" in one_line(f"imagefolder:{folder}/train", folder, MissingError)
    assert "nowhere" in one_line(f"imagefolder:{folder}/nowhere", folder, MissingError)


def test_a_channel_without_variation_can_still_be_divided_by() -> None:
    mean, std = measure(torch.full((2, 3, 4, 4), 51, dtype=torch.uint8))
    assert mean == (0.2, 0.2, 0.2)
    assert min(std) > 0


def test_images_are_decoded_once(
    make_tree: Tree, cache: Path, monkeypatch: pytest.MonkeyPatch
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
def test_a_damaged_cache_is_made_again(position: int | None, make_tree: Tree, cache: Path) -> None:
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
    make_tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_tree()
    first = load(f"imagefolder:{folder}", root=folder)
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load(f"imagefolder:{folder}", root=folder).fingerprint == first.fingerprint


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two batches in torchvision's layout, with sums of their own in place of the published."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    sums = {}
    for name, count in (("data_batch_1", 20), ("test_batch", 10)):
        pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": pixels, "labels": [i % 10 for i in range(count)]})
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    content = pickle.dumps({"label_names": [f"name{i}" for i in range(10)]})
    (folder / "batches.meta").write_bytes(content)
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": hashlib.md5(content).hexdigest(),
    }
    cifar = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(cifar, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(cifar, "meta", meta)
    return folder


def test_torchvisions_layout(official: Path) -> None:
    dataset: Dataset = load("cifar10", root=official.parent)
    raw = pickle.loads((official / "data_batch_1").read_bytes())["data"]
    assert np.array_equal(dataset.train.images.numpy().reshape(20, 3072), raw)
    assert dataset.classes[9] == "name9"
    assert len(dataset.test) == 10


def test_torchvisions_layout_names_the_file_that_is_amiss(official: Path) -> None:
    batch = official / "test_batch"
    batch.write_bytes(batch.read_bytes()[:-1])
    assert str(batch) in one_line("cifar10", official.parent, UsageError)
    batch.unlink()
    assert str(batch) in one_line("cifar10", official.parent, MissingError)


def test_download_happens_only_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def fetch(url: str, root: object, **options: object) -> None:
        asked.append(url)
        print("chatter")
        raise OSError("no route\nto host")

    monkeypatch.setattr(torchvision.datasets.cifar, "download_and_extract_archive", fetch)
    one_line("cifar10", tmp_path, MissingError)
    assert not asked
    with pytest.raises(MissingError, match="no route to host") as caught:
        load("cifar10", root=tmp_path, download=True)
    assert len(asked) == 1
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
