"""The set as a `torch.utils.data.Dataset`, and as an ImageFolder tree."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, random_split
from torchvision.datasets import ImageFolder

from naturalinversion import SyntheticDataset
from naturalinversion.errors import SettingError, StoreError
from naturalinversion.image_store.meta import Meta, write_meta
from naturalinversion.image_store.pixels import PixelMapping
from naturalinversion.image_store.shards import shard_path, write_shard
from naturalinversion.seeds import generator

SIZE, BATCHES, CLASSES = 6, 3, 12


def make(
    folder: Path, shape: tuple[int, int, int] = (3, 8, 8), classes: int = CLASSES, first: int = 0
) -> SyntheticDataset:
    mean, std = (0.5,) * shape[0], (0.25,) * shape[0]
    folder.mkdir(parents=True)
    write_meta(folder, Meta("m", "t", classes, shape, mean, std, 0, SIZE, BATCHES, {}, first))
    for index in range(BATCHES):
        labels = (torch.arange(SIZE) + SIZE * index) % classes
        images = torch.randn(SIZE, *shape, generator=generator(index))
        write_shard(folder, first + index, images, labels)
    return SyntheticDataset(folder)


def test_items_are_float32_images_of_teacher_space_and_labels(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a", first=4)
    assert isinstance(dataset, Dataset)
    images, labels = dataset.tensors()
    for index in (0, 5, 6, len(dataset) - 1, -1, -len(dataset)):
        image, label = dataset[index]
        assert image.dtype == torch.float32
        assert torch.equal(image, images[index].float())
        assert (type(label), label) == (int, int(labels[index]))
    for index in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=f"image -?{abs(index)} of 18|image -1 of 18"):
            dataset[index]
    assert [label for _, label in dataset] == labels.tolist()
    assert len(list(SyntheticDataset(tmp_path / "a", 2))) == 2 * SIZE


def test_it_says_what_it_is(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    of, there = "<SyntheticDataset of 18 images 3x8x8", f"in {tmp_path / 'a'}>"
    assert repr(dataset) == f"{of} (float32 in teacher space) {there}"
    assert repr(dataset.as_pixels("minmax")) == f"{of} (uint8, minmax) {there}"


def test_images_are_read_to_the_cpu_whatever_the_default_device_is(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    images, labels = dataset.tensors()
    with torch.device("meta"):
        found, found_labels = dataset.tensors()
        pixels = dataset.pixels("denormalize")
    assert torch.equal(found, images)
    assert torch.equal(found_labels, labels)
    assert torch.equal(pixels, dataset.pixels("denormalize"))


def test_changing_an_item_does_not_change_the_set(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    before = dataset[3][0].clone()
    dataset[3][0].zero_()
    assert torch.equal(dataset[3][0], before)
    assert torch.equal(SyntheticDataset(tmp_path / "a")[3][0], before)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_reads_it(workers: int, tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    loader = DataLoader(dataset, 4, num_workers=workers)
    found = [torch.cat(parts) for parts in zip(*loader, strict=True)]
    images, labels = dataset.tensors()
    assert torch.equal(found[0], images.float())
    assert torch.equal(found[1], labels)


def test_what_torch_makes_of_a_data_set_works(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    images = dataset.tensors()[0].float()
    assert torch.equal(Subset(dataset, [7, 2])[0][0], images[7])
    parts = random_split(dataset, [0.5, 0.5], generator=generator(0))
    assert sum(map(len, parts)) == len(dataset)
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[9][0], images[9])


@pytest.mark.parametrize("mapping", ["denormalize", "minmax"])
def test_as_pixels_gives_uint8_and_a_transform_what_it_returns(
    mapping: PixelMapping, tmp_path: Path
) -> None:
    dataset = make(tmp_path / "a")
    pixels = dataset.pixels(mapping)
    image, label = dataset.as_pixels(mapping)[10]
    assert image.dtype == torch.uint8
    assert torch.equal(image, pixels[10])
    assert label == dataset[10][1]

    def mean(image: Tensor) -> float:
        return image.float().mean().item()

    assert dataset.as_pixels(mapping, mean)[2][0] == pixels[2].float().mean().item()
    transformed = SyntheticDataset(tmp_path / "a", transform=mean)
    assert transformed[2][0] == mean(dataset[2][0])
    assert torch.equal(transformed.as_pixels(mapping)[2][0], pixels[2])
    with pytest.raises(SettingError, match="unknown pixel mapping 'raw'"):
        dataset.as_pixels("raw")  # type: ignore[arg-type]


def test_a_damaged_file_is_noticed_by_index_as_well(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    path = shard_path(tmp_path / "a", 1)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert dataset[0][0].isfinite().all()
    with pytest.raises(StoreError, match="does not match its digest"):
        dataset[SIZE]
    path.write_bytes(b"no safetensors")
    with pytest.raises(StoreError, match="is damaged"):
        dataset[SIZE]
    path.unlink()
    with pytest.raises(StoreError, match="is missing"):
        dataset[SIZE]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12), (4, 8, 8)])
def test_grey_and_oblong_images_are_exported(shape: tuple[int, int, int], tmp_path: Path) -> None:
    dataset = make(tmp_path / "a", shape)
    dataset.export(tmp_path / "png", "denormalize")
    expected, labels = dataset.pixels("denormalize"), dataset.tensors()[1]
    for number in range(len(dataset)):
        with Image.open(tmp_path / "png" / f"{labels[number]:02d}" / f"{number:06d}.png") as file:
            found = np.asarray(file)
        assert np.array_equal(found.reshape(*shape[1:], -1), expected[number].permute(1, 2, 0))


def test_images_that_a_png_can_not_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="images of 2 channels can't be PNGs"):
        make(tmp_path / "a", (2, 8, 8)).export(tmp_path / "png", "minmax")
    assert not (tmp_path / "png").exists()


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_folder_stays_the_same_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    dataset = SyntheticDataset("a")
    monkeypatch.chdir(tmp_path.parent)
    assert dataset[0][0].shape == (3, 8, 8)


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    (tmp_path / "file").touch()
    tree, grid = tmp_path / "file" / "png", tmp_path / "file" / "grid.png"
    with pytest.raises(StoreError, match=f"^{tree} can't be written: "):
        dataset.export(tree, "denormalize")
    with pytest.raises(StoreError, match=f"^{grid} can't be written: "):
        dataset.grid(grid)


@pytest.mark.parametrize("batches", ["2", 1.5])
def test_a_number_of_batches_is_whole(batches: Any, tmp_path: Path) -> None:
    folder = make(tmp_path / "a").folder
    with pytest.raises(StoreError, match=f"^batches is {batches!r}: a whole number"):
        SyntheticDataset(folder, batches)


def test_an_export_never_mixes_two_sets(tmp_path: Path) -> None:
    small = SyntheticDataset(make(tmp_path / "a").folder, 1)
    large = make(tmp_path / "b")
    large.export(tmp_path / "png", "denormalize")
    before = names(tmp_path / "png")
    with pytest.raises(StoreError, match="holds an export already, and two sets would mix"):
        small.export(tmp_path / "png", "denormalize")
    assert names(tmp_path / "png") == before
    with pytest.warns(UserWarning, match="no images of 6 of 12 classes"):
        small.export(tmp_path / "png", "denormalize", overwrite=True)
    assert len(names(tmp_path / "png")) == SIZE


@pytest.mark.parametrize("wrong", ["mapping", "shard"])
def test_an_export_that_fails_leaves_the_one_before(wrong: str, tmp_path: Path) -> None:
    make(tmp_path / "a").export(tmp_path / "png", "denormalize")
    (tmp_path / "png" / ".note").write_text("mine")
    before = {name: (tmp_path / "png" / name).read_bytes() for name in names(tmp_path / "png")}
    other = make(tmp_path / "b")
    if wrong == "mapping":
        with pytest.raises(SettingError, match="unknown pixel mapping 'denormalise': denormalize"):
            other.export(tmp_path / "png", "denormalise", overwrite=True)  # type: ignore[arg-type]
    else:
        shard_path(tmp_path / "b", BATCHES - 1).write_bytes(b"no safetensors")
        with pytest.raises(StoreError, match=r"can't be read|is damaged"):
            other.export(tmp_path / "png", "minmax", overwrite=True)
        with pytest.raises(StoreError, match=r"can't be read|is damaged"):
            other.export(tmp_path / "new", "minmax")
    assert {name: (tmp_path / "png" / name).read_bytes() for name in before} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "png"]
    next((tmp_path / "png").iterdir()).joinpath(".DS_Store").write_bytes(b"of a file manager")
    make(tmp_path / "c").export(tmp_path / "png", "minmax", overwrite=True)
    assert names(tmp_path / "png") == sorted(before), "hidden files stay"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "png"]


def test_an_export_that_is_interrupted_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any of its moves: those of the earlier classes aside, then those of the new ones."""
    make(tmp_path / "a").export(tmp_path / "png", "denormalize")
    before = {name: (tmp_path / "png" / name).read_bytes() for name in names(tmp_path / "png")}
    other, move, left = make(tmp_path / "b"), shutil.move, [0]

    def interrupted(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        move(source, target)

    monkeypatch.setattr(shutil, "move", interrupted)
    for left[0] in (3, CLASSES + 3):
        with pytest.raises(KeyboardInterrupt):
            other.export(tmp_path / "png", "minmax", overwrite=True)
        after = {name: (tmp_path / "png" / name).read_bytes() for name in names(tmp_path / "png")}
        assert after == before
    left[0] = 3
    with pytest.raises(KeyboardInterrupt):
        other.export(tmp_path / "new", "minmax")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "png"]


@pytest.mark.parametrize("foreign", ["notes.txt", "cats/a.png", "03/mine.png", "03/sub/000001.png"])
def test_what_no_export_wrote_is_never_removed(foreign: str, tmp_path: Path) -> None:
    dataset = make(tmp_path / "a")
    path = tmp_path / "png" / foreign
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    for overwrite in (False, True):
        with pytest.raises(StoreError, match="no export's: take another folder"):
            dataset.export(tmp_path / "png", "denormalize", overwrite=overwrite)
    assert names(tmp_path / "png") == [foreign]
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file: an export needs a folder"):
        dataset.export(tmp_path / "file", "denormalize")


def test_an_export_of_few_images_is_one_that_image_folder_reads(tmp_path: Path) -> None:
    dataset = make(tmp_path / "a", classes=30)
    with pytest.warns(
        UserWarning, match=r"no images of 12 of 30 classes \(18, 19, 20, 21, 22, …\)"
    ):
        dataset.export(tmp_path / "png", "denormalize")
    found = ImageFolder(tmp_path / "png")
    assert [int(found.classes[index]) for index in found.targets] == sorted(
        dataset.tensors()[1].tolist()
    )
