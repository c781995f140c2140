"""The picture for people: classes and rows that have images, names above, any size and colour."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from naturalinversion import SyntheticDataset
from naturalinversion.errors import SettingError
from naturalinversion.image_store.meta import Meta, write_meta
from naturalinversion.image_store.sample_grid import GAP, PICTURE_WIDTH
from naturalinversion.image_store.shards import write_shard

Make = Callable[..., SyntheticDataset]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def store(
        labels: list[list[int]], shape: tuple[int, int, int] = (3, 8, 8), classes: int = 10
    ) -> SyntheticDataset:
        """Images of the grey 0.1 + label / 20."""
        mean, std = (0.5,) * shape[0], (0.25,) * shape[0]
        folder = tmp_path / "store"
        folder.mkdir()
        write_meta(
            folder, Meta("m", "t", classes, shape, mean, std, 0, len(labels[0]), len(labels))
        )
        for index, batch in enumerate(labels):
            greys = (0.1 + torch.tensor(batch) / 20 - 0.5) / 0.25
            images = greys.view(-1, 1, 1, 1).expand(-1, *shape)
            write_shard(folder, index, images, torch.tensor(batch))
        return SyntheticDataset(folder)

    return store


def tiles(path: Path) -> list[list[int]]:
    """The grey of every tile, row by row, of square images; 255 where there is none."""
    sheet = np.asarray(Image.open(path).convert("L"))
    step = PICTURE_WIDTH + GAP
    rows = (sheet.shape[0] + GAP) // step
    above = sheet.shape[0] - rows * step + GAP
    columns = (sheet.shape[1] + GAP) // step
    middle = PICTURE_WIDTH // 2
    return [
        [int(sheet[above + r * step + middle, c * step + middle]) for c in range(columns)]
        for r in range(rows)
    ]


def grey(label: int) -> int:
    return round(255 * (0.1 + label / 20))


def test_only_rows_and_classes_with_images_are_there(make: Make, tmp_path: Path) -> None:
    make([[0, 0, 3, 7]]).grid(tmp_path / "new" / "grid.png")
    assert tiles(tmp_path / "new" / "grid.png") == [
        [grey(0), grey(3), grey(7)],
        [grey(0), 255, 255],
    ]


def test_of_many_classes_ten_that_the_first_batch_has(make: Make, tmp_path: Path) -> None:
    batch = list(range(5, 17))
    make([batch, batch], classes=100).grid(tmp_path / "grid.png")
    assert tiles(tmp_path / "grid.png") == [[grey(label) for label in range(5, 15)]] * 2


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 24), (4, 16, 8), (3, 128, 128)])
def test_grey_and_oblong_images_have_a_picture(
    shape: tuple[int, int, int], make: Make, tmp_path: Path
) -> None:
    make([[0, 1]], shape).grid(tmp_path / "grid.png", [f"class {k}" for k in range(10)])
    with Image.open(tmp_path / "grid.png") as picture:
        scale = max(1, round(PICTURE_WIDTH / shape[2]))
        assert picture.width == 2 * (shape[2] * scale + GAP) - GAP
        assert picture.height > shape[1] * scale


def test_names_stand_above_their_columns_and_long_ones_upright(make: Make, tmp_path: Path) -> None:
    dataset = make([[0, 1]])
    heights = []
    for name in ("", "cat", "a very long name of a class indeed"):
        dataset.grid(tmp_path / "grid.png", [name] * 10 if name else ())
        sheet = np.asarray(Image.open(tmp_path / "grid.png"))
        above = sheet.shape[0] - PICTURE_WIDTH
        assert (sheet[:above] < 128).any(), "letters"
        heights.append(above)
    assert heights[0] == heights[1] < heights[2]


def test_names_for_other_classes_are_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="2 names for 10 classes"):
        make([[0, 1]]).grid(tmp_path / "grid.png", ["a", "b"])


def test_names_that_are_numbers_are_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="a class is called 0: names are texts"):
        make([[0, 1]]).grid(tmp_path / "grid.png", list(range(10)))  # type: ignore[arg-type]


def test_a_name_of_another_kind_of_file_is_refused(make: Make, tmp_path: Path) -> None:
    dataset = make([[0, 1]])
    for name in ("grid.jpg", "grid"):
        with pytest.raises(SettingError, match=f"{name}: a grid is a PNG, so name it grid.png"):
            dataset.grid(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_images_without_colours_are_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="images of 5 channels have no colours to show"):
        make([[0, 1]], (5, 8, 8)).grid(tmp_path / "grid.png")
