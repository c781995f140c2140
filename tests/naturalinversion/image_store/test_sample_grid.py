"""The grid of samples: filled from as many batches as it takes, white where images are missing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from naturalinversion.image_store.sample_grid import (
    COLUMNS,
    ROWS,
    grid_images,
    save_grid,
    save_rows,
)
from naturalinversion.teacher.teacher import Teacher

Shard = tuple[Tensor, Tensor]


def shard(labels: list[int], value: float = 0.0) -> Shard:
    """Images of one value each, ``value`` and on in steps of 0.01."""
    values = value + 0.01 * torch.arange(len(labels))
    images = values.view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    return images.half(), torch.tensor(labels)


def counted(shards: list[Shard], read: list[int]) -> Iterator[Shard]:
    for index, found in enumerate(shards):
        read.append(index)
        yield found


def test_it_reads_on_until_the_grid_is_full_and_no_further() -> None:
    read: list[int] = []
    shards = [shard([0] * 9 + [1] * 2), shard([1] * 3 + [2] * 6, 0.5), shard([1, 1, 1]), shard([0])]
    images, labels = grid_images(counted(shards, read), 3)
    assert read == [0, 1, 2], "two of class 1 in the first, three in the next, one was missing"
    assert torch.bincount(labels).tolist() == [ROWS, ROWS, ROWS]
    assert images.shape == (3 * ROWS, 3, 16, 16)
    ones = images[labels == 1][:, 0, 0, 0]
    expected = [0.09, 0.10, 0.50, 0.51, 0.52, 0.00]
    torch.testing.assert_close(ones.float(), torch.tensor(expected), atol=1e-3, rtol=0)


def test_a_first_batch_that_fills_it_is_shown_alone() -> None:
    read: list[int] = []
    full = shard([label for label in range(COLUMNS + 2) for _ in range(ROWS + 1)])
    images, labels = grid_images(counted([full, full], read), COLUMNS + 2)
    assert read == [0]
    assert torch.bincount(labels).tolist() == [ROWS] * COLUMNS, "classes without a column"
    assert len(images) == ROWS * COLUMNS


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


def test_a_class_that_the_whole_set_lacks_stays_white(
    make_teacher: Callable[..., Teacher], tmp_path: Path
) -> None:
    read: list[int] = []
    shards = [shard([0] * 6 + [3] * 2), shard([3] * 2 + [1] * 6)]
    save_grid(tmp_path / "grid.png", *grid_images(counted(shards, read), 4), make_teacher())
    assert read == [0, 1]
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    assert sheet.shape == (ROWS * 16, COLUMNS * 16, 3), "tiles side by side, as large as they are"
    step = 16
    white = [
        [bool((sheet[row * step :, column * step :][:16, :16] == 255).all()) for row in range(ROWS)]
        for column in range(4)
    ]
    assert white == [[False] * 6, [False] * 6, [True] * 6, [False] * 4 + [True] * 2]
