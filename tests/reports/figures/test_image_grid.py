"""Figures 2 and 3: the tiles drawn are the records' own pixels, nothing smoothed or moved."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reports.figures.style import DPI, style_context
from reports.figures.tiles import Pixels, join_tiles, read_tiles
from reports.records import Record, RecordError
from reports.tables.layout import Table
from tests.reports.figures.figure_cases import CLASSES, drawn, grid_table, place, rendered
from tests.reports.makers import make_grid, make_record, make_tiles, put


def with_tiles(runs: Path, key: str, tiles: Pixels) -> Record:
    return put(runs, make_record(key), grid_png=make_grid(tiles))


def pixels_of(table: Table, records: dict[str, Record], runs: Path) -> Pixels:
    file = io.BytesIO()
    with style_context():
        drawn(table, records, runs).savefig(file, format="png", dpi=DPI)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("side", [1, 2, 8, 16, 32])
def test_tiles_are_read_at_their_size(tmp_path: Path, side: int) -> None:
    tiles = make_tiles(side=side)
    record = with_tiles(tmp_path, "a", tiles)
    assert np.array_equal(read_tiles(record, "grid.png", tmp_path), tiles)


def test_joined_tiles_have_white_gaps() -> None:
    tiles = make_tiles(side=3)
    picture = join_tiles(tiles, gap=2, factor=2)
    assert picture.shape == (6 * 8 - 2, 10 * 8 - 2, 3)
    assert place(picture, tiles[1, 2], 2) == (8, 16)
    assert (picture[6:8] == 255).all()


@pytest.mark.parametrize(("side", "factor"), [(8, 16), (32, 4), (20, 6)])
def test_the_first_rows_are_the_records_own_pixels(tmp_path: Path, side: int, factor: int) -> None:
    tiles = {key: make_tiles(seed, side) for seed, key in enumerate(("a", "b"))}
    records = {key: with_tiles(tmp_path, key, of) for key, of in tiles.items()}
    table = grid_table({"DI": "a", "NI $x_1$": "b"}, 2, CLASSES)
    picture = pixels_of(table, records, tmp_path)
    places = {
        (key, row, column): place(picture, tiles[key][row, column], factor)
        for key in tiles
        for row in range(2)
        for column in (0, 4, 9)
    }
    for column in (0, 4, 9):
        tops = [places[key, row, column][0] for key in ("a", "b") for row in range(2)]
        assert tops == sorted(tops), "the rows stand in another order"
        assert len({places[key, row, column][1] for key in tiles for row in range(2)}) == 1
    with pytest.raises(AssertionError, match="not in the picture"):
        place(picture, tiles["a"][2, 0], factor)


def test_blank_tiles_stay_blank_and_classes_beyond_the_names_are_left_out(tmp_path: Path) -> None:
    tiles = make_tiles(side=16)
    tiles[0, 1] = 255
    records = {"a": with_tiles(tmp_path, "a", tiles)}
    picture = pixels_of(grid_table({"NI": "a"}, 6, "xyz"), records, tmp_path)
    top, left = place(picture, tiles[0, 0], 8)
    below, right = place(picture, tiles[5, 2], 8)
    assert (picture[top : top + 128, left + 128 : right] == 255).all()
    assert picture.shape[0] - below < 200
    assert picture.shape[1] - right < 200


def test_a_method_that_was_not_run_says_so(tmp_path: Path) -> None:
    tiles = make_tiles(side=8)
    records = {"a": with_tiles(tmp_path, "a", tiles)}
    found = rendered(grid_table({"DI": "none", "NI": "a"}, 1, CLASSES), records, tmp_path)
    svg = found.files["t.svg"]
    assert svg.count(b">not run<") == 1
    assert found.png.startswith(b"\x89PNG\r\n\x1a\n")
    (inside,) = re.findall(rb"data:image/png;base64,([^\"]+)", svg)
    picture = Image.open(io.BytesIO(base64.b64decode(inside))).convert("RGB")
    assert {place(np.asarray(picture), tile, 16)[0] for tile in tiles[0]} <= {0, 1}


def test_labels_tell_the_rows_apart(tmp_path: Path) -> None:
    records = {"a": with_tiles(tmp_path, "a", make_tiles())}
    methods = drawn(grid_table({"DI": "a", "NI": "none"}, 1, CLASSES), records, tmp_path)
    assert {"DI", "NI"} <= {text.get_text() for text in methods.texts}
    table = grid_table({"DI": "a"}, 1, CLASSES)
    table.pictures.append(table.pictures[0])  # of another teacher, say
    titles = [text.get_text() for text in drawn(table, records, tmp_path).texts]
    assert titles.count("DI: ResNet-34") == 2


def test_long_class_names_do_not_overlap(tmp_path: Path) -> None:
    records = {"a": with_tiles(tmp_path, "a", make_tiles(side=8))}
    long = [f"a_rather_long_name_{i}" for i in range(10)]
    found = drawn(grid_table({"NI": "a"}, 1, long), records, tmp_path)
    assert [text.get_rotation() for text in found.texts if text.get_text() in long] == [45] * 10


def test_pictures_that_are_no_grids_are_refused(tmp_path: Path) -> None:
    white = io.BytesIO()
    Image.new("RGB", (30, 20)).save(white, "PNG")
    for key, data, fault in (
        ("small", white.getvalue(), "30 x 20 pixels are no grid of 10 x 6 tiles"),
        ("text", b"hello", "not a PNG"),
        ("cut", make_grid(make_tiles())[:900], "not a PNG"),
    ):
        records = {key: put(tmp_path, make_record(key), grid_png=data)}
        with pytest.raises(RecordError, match=rf"grid\.png: {fault}$"):
            drawn(grid_table({"NI": key}, 1, CLASSES), records, tmp_path)


def test_tiles_of_unlike_size_do_not_share_a_figure(tmp_path: Path) -> None:
    sides = {"a": 8, "b": 16}
    records = {key: with_tiles(tmp_path, key, make_tiles(side=side)) for key, side in sides.items()}
    with pytest.raises(RecordError, match="tiles of 8 and 16 pixels"):
        drawn(grid_table({"DI": "a", "NI": "b"}, 1, CLASSES), records, tmp_path)
