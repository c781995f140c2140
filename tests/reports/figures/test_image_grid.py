"""Figures 2 and 3: the tiles drawn are the records' own pixels, nothing smoothed or moved."""

import base64
import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from reports.figures.draw import draw
from reports.figures.drawn import Drawn, Missing
from reports.figures.image_grid import draw_grids
from reports.figures.spec import GridRow, Grids
from reports.figures.style import DPI, drawing
from reports.records import Record, RecordError, folder_of

MakeRecord = Callable[..., Record]
Pixels = npt.NDArray[np.uint8]

CLASSES = [f"c_{i}" for i in range(10)]


def grid(seed: int, side: int) -> Pixels:
    """Tiles (6, 10, side, side, 3) of noise that has no white."""
    noise = np.random.default_rng(seed).integers(0, 250, (6, 10, side, side, 3))
    return noise.astype(np.uint8)


def put(runs: Path, record: Record, tiles: Pixels) -> Record:
    """Write the tiles as naturalinversion/sample_grid.py does, gaps of 2 and all twice as large."""
    side = tiles.shape[2]
    sheet = np.full((6 * (side + 2) - 2, 10 * (side + 2) - 2, 3), 255, np.uint8)
    for row, column in np.ndindex(6, 10):
        top, left = row * (side + 2), column * (side + 2)
        sheet[top : top + side, left : left + side] = tiles[row, column]
    file = io.BytesIO()
    Image.fromarray(sheet.repeat(2, axis=0).repeat(2, axis=1)).save(file, "PNG")
    return put_bytes(runs, record, file.getvalue())


def put_bytes(runs: Path, record: Record, data: bytes) -> Record:
    folder = folder_of(runs, record)
    folder.mkdir(parents=True)
    (folder / "grid.png").write_bytes(data)
    record.artefacts["grid.png"] = hashlib.sha256(data).hexdigest()
    return record


def pixels_of(figure: Grids, records: dict[str, Record], runs: Path) -> Pixels:
    file = io.BytesIO()
    with drawing():
        drawn = draw_grids(figure, records, runs)
        assert not isinstance(drawn, Missing)
        drawn.savefig(file, format="png", dpi=DPI)
    return np.asarray(Image.open(file).convert("RGB"))


def place(picture: Pixels, tile: Pixels, factor: int) -> tuple[int, int]:
    """Row and column where the picture shows the tile, each pixel ``factor`` wide."""
    wide = tile.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = wide.shape[:2]
    for row, column in np.argwhere((picture == wide[0, 0]).all(axis=-1)):
        if np.array_equal(picture[row : row + height, column : column + width], wide):
            return int(row), int(column)
    raise AssertionError("the tile is not in the picture")


@pytest.mark.parametrize(("side", "factor"), [(8, 16), (32, 4), (20, 6)])
def test_the_first_rows_are_the_records_own_pixels(
    tmp_path: Path, new_record: MakeRecord, side: int, factor: int
) -> None:
    tiles = {key: grid(seed, side) for seed, key in enumerate(("a", "b"))}
    records = {key: put(tmp_path, new_record(key), of) for key, of in tiles.items()}
    rows = [GridRow("DI", "a"), GridRow("NI $x_1$", "b")]
    picture = pixels_of(Grids("f", "t", "c", CLASSES, rows, 2), records, tmp_path)
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


def test_blank_tiles_stay_blank_and_classes_beyond_the_names_are_left_out(
    tmp_path: Path, new_record: MakeRecord
) -> None:
    tiles = grid(0, 16)
    tiles[0, 1] = 255
    records = {"a": put(tmp_path, new_record("a"), tiles)}
    picture = pixels_of(
        Grids("f", "t", "c", ["x", "y", "z"], [GridRow("NI", "a")], 6), records, tmp_path
    )
    top, left = place(picture, tiles[0, 0], 8)
    below, right = place(picture, tiles[5, 2], 8)
    assert (picture[top : top + 128, left + 128 : right] == 255).all()
    assert picture.shape[0] - below < 200
    assert picture.shape[1] - right < 200


def test_a_row_that_was_not_run_says_so(tmp_path: Path, new_record: MakeRecord) -> None:
    records = {"a": put(tmp_path, new_record("a"), grid(0, 8))}
    figure = Grids("f", "t", "c", CLASSES, [GridRow("DI", "none"), GridRow("NI", "a")], 1)
    drawn = draw(figure, records, tmp_path)
    assert isinstance(drawn, Drawn)
    assert drawn.svg.count(b">not run<") == 1
    assert drawn.png.startswith(b"\x89PNG\r\n\x1a\n")
    (inside,) = re.findall(rb"data:image/png;base64,([^\"]+)", drawn.svg)
    picture = Image.open(io.BytesIO(base64.b64decode(inside))).convert("RGB")
    assert {place(np.asarray(picture), tile, 16)[0] for tile in grid(0, 8)[0]} <= {0, 1}


def test_long_class_names_do_not_overlap(tmp_path: Path, new_record: MakeRecord) -> None:
    records = {"a": put(tmp_path, new_record("a"), grid(0, 8))}
    long = [f"a_rather_long_name_{i}" for i in range(10)]
    with drawing():
        drawn = draw_grids(Grids("f", "t", "c", long, [GridRow("NI", "a")], 1), records, tmp_path)
        assert not isinstance(drawn, Missing)
    assert [text.get_rotation() for text in drawn.texts if text.get_text() in long] == [45] * 10


def test_pictures_that_are_no_grids_are_refused(tmp_path: Path, new_record: MakeRecord) -> None:
    white = io.BytesIO()
    Image.new("RGB", (30, 20)).save(white, "PNG")
    whole = io.BytesIO()
    Image.fromarray(grid(0, 8)[0, 0]).resize((196, 116)).save(whole, "PNG")
    for key, data, fault in (
        ("small", white.getvalue(), "30 x 20 pixels are no grid of 10 x 6 tiles"),
        ("text", b"hello", "not a PNG"),
        ("cut", whole.getvalue()[:900], "not a PNG"),
    ):
        records = {key: put_bytes(tmp_path, new_record(key), data)}
        with pytest.raises(RecordError, match=rf"grid\.png: {fault}$"):
            draw(Grids("f", "t", "c", CLASSES, [GridRow("NI", key)], 1), records, tmp_path)


def test_tiles_of_unlike_size_do_not_share_a_figure(tmp_path: Path, new_record: MakeRecord) -> None:
    records = {
        key: put(tmp_path, new_record(key), grid(0, side)) for key, side in (("a", 8), ("b", 16))
    }
    figure = Grids("f", "t", "c", CLASSES, [GridRow("DI", "a"), GridRow("NI", "b")], 1)
    with pytest.raises(RecordError, match="tiles of 8 and 16 pixels"):
        draw(figure, records, tmp_path)
