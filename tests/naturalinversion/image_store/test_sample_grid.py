"""The grid of samples: filled from as many batches as it takes, white where images are missing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from naturalinversion.image_store.meta import Meta
from naturalinversion.image_store.sample_grid import COLUMNS, ROWS, save_grid, save_rows

Shard = tuple[Tensor, Tensor]
STEP = 16  # side of a tile


def shard(labels: list[int], value: float = 0.0) -> Shard:
    """Images of one value each, ``value`` and on in steps of 0.01."""
    values = value + 0.01 * torch.arange(len(labels))
    images = values.view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    return images.half(), torch.tensor(labels)


def counted(shards: list[Shard], read: list[int]) -> Iterator[Shard]:
    for index, found in enumerate(shards):
        read.append(index)
        yield found


def grid(path: Path, shards: list[Shard], read: list[int], classes: int) -> NDArray[np.uint8]:
    """The grid that is made of ``shards``: one value (ROWS, COLUMNS) for each tile."""
    meta = Meta("di", "", classes, (3, STEP, STEP), (0.0,) * 3, (1.0,) * 3, 0, 1, len(shards))
    save_grid(path / "grid.png", counted(shards, read), meta)
    sheet = np.asarray(Image.open(path / "grid.png"))
    assert sheet.shape == (ROWS * STEP, COLUMNS * STEP, 3), "tiles lie side by side"
    tiles = sheet[::STEP, ::STEP, 0]
    assert (sheet == tiles.repeat(STEP, 0).repeat(STEP, 1)[..., None]).all(), "as large as they are"
    return tiles


def test_it_reads_on_until_the_grid_is_full_and_no_further(tmp_path: Path) -> None:
    read: list[int] = []
    shards = [shard([0] * 9 + [1] * 2), shard([1] * 3 + [2] * 6, 0.5), shard([1, 1, 1]), shard([0])]
    tiles = grid(tmp_path, shards, read, 3)
    assert read == [0, 1, 2], "two of class 1 in the first, three in the next, one was missing"
    zeros, ones = [0.00, 0.01, 0.02, 0.03, 0.04, 0.05], [0.09, 0.10, 0.50, 0.51, 0.52, 0.00]
    np.testing.assert_allclose(tiles[:, 0] / 255, zeros, atol=3e-3)
    np.testing.assert_allclose(tiles[:, 1] / 255, ones, atol=3e-3)
    assert (tiles[:, 2] < 255).all()
    assert (tiles[:, 3:] == 255).all(), "no class, no images"


def test_a_first_batch_that_fills_it_is_shown_alone(tmp_path: Path) -> None:
    read: list[int] = []
    full = shard([label for label in range(COLUMNS + 2) for _ in range(ROWS + 1)])
    tiles = grid(tmp_path, [full, full], read, COLUMNS + 2)
    assert read == [0]
    assert (tiles < 255).all()


@pytest.mark.parametrize(
    ("channels", "colour"),
    [(1, [200, 200, 200]), (2, [150, 150, 150]), (4, [200, 100, 50]), (5, [90, 90, 90])],
)
def test_images_of_any_channels_are_shown(channels: int, colour: list[int], tmp_path: Path) -> None:
    """Opacity is left out; without colours it is the mean of the channels."""
    values = torch.tensor([200, 100, 50, 0, 100])[:channels].to(torch.uint8)
    save_rows(tmp_path / "grid.png", values.view(1, -1, 1, 1).expand(1, -1, 16, 16))
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    assert (sheet[:16, :16] == colour).all()


def test_a_class_that_the_whole_set_lacks_stays_white(tmp_path: Path) -> None:
    read: list[int] = []
    shards = [shard([0] * 6 + [3] * 2), shard([3] * 2 + [1] * 6)]
    white = grid(tmp_path, shards, read, 4) == 255
    assert read == [0, 1]
    assert white[:, :4].sum(axis=0).tolist() == [0, 0, ROWS, 2]
