"""Contact sheets show the images' own pixels, with titles and the names of classes."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from reports.figures.contact_sheet import draw_contact_sheet
from reports.figures.tiles import Pixels
from tests.reports.figures.figure_cases import place
from tests.reports.makers import make_tiles


def picture_of(sets: dict[str, Pixels], names: Sequence[str]) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(draw_contact_sheet(sets, names))).convert("RGB"))


@pytest.mark.parametrize(("side", "factor"), [(8, 8), (32, 2), (100, 1)])
def test_every_set_is_shown_pixel_by_pixel(side: int, factor: int) -> None:
    sets = {f"set {seed}": make_tiles(seed, side) for seed in range(2)}
    picture = picture_of(sets, "abcdefghij")
    upper, lower = (
        [place(picture, tiles[row, column], factor) for row, column in ((0, 0), (5, 9))]
        for tiles in sets.values()
    )
    step = side * factor + 2
    for first, last in (upper, lower):
        assert np.subtract(last, first).tolist() == [5 * step, 9 * step]
    assert upper[0][1] == lower[0][1]
    assert upper[1][0] < lower[0][0]


def test_classes_are_named_below_their_images() -> None:
    tiles = make_tiles(0, 32)
    one, other = (
        picture_of({"A": tiles}, [name, *"bcdefghij"]) for name in ("two words", "aquarium fish")
    )
    row, column = place(one, tiles[5, 0], 2)
    rows, columns = np.nonzero((one != other).any(axis=-1))
    assert rows.min() >= row + 64
    assert column <= columns.min() < columns.max() < column + 66, "words stay below their column"


def test_few_classes_leave_room_for_titles_and_long_names() -> None:
    sets = {"NaturalInversion": make_tiles(0, 32)[:1, :2], "DI": make_tiles(1, 32)[:1, :2]}
    picture = picture_of(sets, ["a", "a name of five words"])
    for edge in (picture[:, :4], picture[:, -4:], picture[-4:], picture[:4]):
        assert (edge == 255).all(), "nothing is cut"
    row, _ = place(picture, sets["NaturalInversion"][0, 0], 2)
    below, _ = place(picture, sets["DI"][0, 0], 2)
    assert below - (row + 64) > 5 * 15 + 20, "five lines and a title"
