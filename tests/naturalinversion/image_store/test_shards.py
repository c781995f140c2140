"""The store of synthetic images: what comes back, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.datasets import ImageFolder

from naturalinversion.errors import StoreError
from naturalinversion.image_store.dataset import SyntheticDataset
from naturalinversion.image_store.meta import Meta, write_meta
from naturalinversion.image_store.shards import (
    read_shard,
    retried,
    shard_is_whole,
    shard_path,
    write_shard,
)
from naturalinversion.seeds import generator

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
BATCHES, SIZE, CLASSES = 3, 6, 12


def batch(seed: int) -> tuple[Tensor, Tensor]:
    draws = generator(seed)
    images = torch.randn(SIZE, 3, 8, 8, generator=draws)
    return images, (torch.arange(SIZE) + SIZE * seed) % CLASSES


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    meta = Meta("toy", "fingerprint", CLASSES, (3, 8, 8), MEAN, STD, 0, SIZE, BATCHES, {"a": 1})
    write_meta(folder, meta)
    for index in range(BATCHES):
        write_shard(folder, index, *batch(index))
    return folder


def test_what_is_written_comes_back_in_the_order_of_the_batches(store: Path) -> None:
    dataset = SyntheticDataset(store)
    images, labels = dataset.tensors()
    written = [batch(index) for index in range(BATCHES)]
    assert len(dataset) == len(images) == BATCHES * SIZE
    assert torch.equal(images, torch.cat([i for i, _ in written]).half())
    assert torch.equal(labels, torch.cat([t for _, t in written]))
    assert (dataset.meta.method, dataset.meta.settings) == ("toy", {"a": 1})


def test_the_first_batches_alone(store: Path) -> None:
    some = SyntheticDataset(store, 2)
    assert torch.equal(some.tensors()[0], SyntheticDataset(store).tensors()[0][: 2 * SIZE])
    assert len(some.pixels("minmax")) == 2 * SIZE
    for impossible in (0, BATCHES + 1):
        with pytest.raises(StoreError, match="holds 3 batches"):
            SyntheticDataset(store, impossible)


def test_writing_leaves_nothing_else_behind(store: Path) -> None:
    names = {path.name for path in store.iterdir()}
    assert names == {"meta.json", *(shard_path(store, index).name for index in range(BATCHES))}


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_truncated_shard_is_damaged(store: Path, keep: int) -> None:
    path = shard_path(store, 1)
    path.write_bytes(path.read_bytes()[:keep])
    assert not shard_is_whole(store, 1)
    assert shard_is_whole(store, 0)
    with pytest.raises(StoreError, match="is damaged") as caught:
        SyntheticDataset(store).tensors()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_never_changes_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    write_shard(folder, 0, *batch(0))
    path = shard_path(folder, 0)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        images, labels = read_shard(folder, 0)
    except StoreError:
        return
    assert torch.equal(images, batch(0)[0].half())
    assert torch.equal(labels, batch(0)[1])


def test_a_flipped_bit_of_a_pixel_is_noticed(store: Path) -> None:
    path = shard_path(store, 0)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="does not match its digest"):
        read_shard(store, 0)


def test_a_missing_shard_is_named(store: Path) -> None:
    shard_path(store, 2).unlink()
    with pytest.raises(StoreError, match=r"batch-00002\.safetensors is missing"):
        SyntheticDataset(store).tensors()


def test_an_interrupted_set_is_no_set_but_its_first_batches_are(store: Path) -> None:
    """It fails when it is opened, not in the middle of an epoch."""
    shard_path(store, 1).unlink()
    says = r"holds 2 of 3 batches; finish the run that made them, or read the first 1: batches=1$"
    with pytest.raises(StoreError, match=says) as caught:
        SyntheticDataset(store)
    assert "\n" not in str(caught.value)
    assert len(SyntheticDataset(store, 1).tensors()[0]) == SIZE
    shard_path(store, 0).unlink()
    with pytest.raises(StoreError, match=r"holds 0 of 1 batches; finish the run that made them$"):
        SyntheticDataset(store, 1)


def test_a_foreign_folder_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(StoreError, match="holds no synthetic images"):
        SyntheticDataset(tmp_path)
    (tmp_path / "meta.json").write_text('{"camera": "mine"}')
    with pytest.raises(StoreError, match="damaged"):
        SyntheticDataset(tmp_path)
    (tmp_path / "meta.json").write_text('{"meth')
    with pytest.raises(StoreError, match="damaged"):
        SyntheticDataset(tmp_path)


@pytest.mark.parametrize("mapping", ["denormalize", "minmax"])
def test_the_export_is_an_image_folder_with_the_right_classes(
    store: Path, tmp_path: Path, mapping: str
) -> None:
    dataset = SyntheticDataset(store)
    assert dataset.export(tmp_path / "png", mapping) == len(dataset)  # type: ignore[arg-type]
    found = ImageFolder(tmp_path / "png")
    assert found.classes == [f"{label:02d}" for label in range(CLASSES)], "sorted as numbers are"
    expected = dataset.pixels(mapping)  # type: ignore[arg-type]
    labels = dataset.tensors()[1]
    assert len(found) == len(labels)
    for (path, target), (image, again) in zip(found.samples, found, strict=True):
        number = int(Path(path).stem)
        assert target == again == labels[number]
        assert np.array_equal(np.asarray(image), expected[number].permute(1, 2, 0).numpy())


def test_a_shard_is_the_same_bytes_each_time_that_of_a_retry_too(tmp_path: Path) -> None:
    """The format keeps metadata in any order: twenty of two entries would hardly all be alike."""
    images, labels = torch.ones(2, 3, 4, 4), torch.tensor([0, 1])
    for attempt in (0, 1):
        written = set()
        for _ in range(20):
            write_shard(tmp_path, 0, images, labels, attempt)
            written.add(shard_path(tmp_path, 0).read_bytes())
        assert len(written) == 1
        assert torch.equal(read_shard(tmp_path, 0)[0], images.half())
        assert retried(tmp_path, [0]) == [0] * attempt
