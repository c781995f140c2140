"""Figures 4 and 5: what is read from CSV files is shown whole, or refused by file and column."""

import io
from collections import Counter
from pathlib import Path

import matplotlib.collections
import matplotlib.colors
import numpy as np
import pytest
from PIL import Image

from reports.figures.style import STYLES
from reports.records import Record, RecordError, folder_of
from reports.tables.layout import Table
from tests.reports.figures.figure_cases import drawn, figure, legend, rendered, rows_table
from tests.reports.makers import make_record, put

HEAD = "iteration,cross_entropy,bn_statistics\n"
SCATTER = rows_table({"Features": ["a"]}, figure("scatter"))


def losses(count: int) -> str:
    return HEAD + "".join(f"{i},{9 / (i + 1)},{-i}\n" for i in range(count))


def curves(*keys: str) -> Table:
    rows = {f"series {key}": [key] for key in keys}
    return rows_table(rows, figure("loss_curves", panels={"cross_entropy": "loss"}))


def points(sizes: dict[str, int]) -> str:
    draws = np.random.default_rng(0)
    rows = [
        f"{stage},{name},{x:.4f},{y:.4f}\n"
        for stage in ("block 1", "block 2")
        for name, size in sizes.items()
        for x, y in draws.normal(size=(size, 2))
    ]
    return "stage,set,x,y\n" + "".join(rows)


def with_losses(runs: Path, **texts: str) -> dict[str, Record]:
    return {key: put(runs, make_record(key), losses_csv=text) for key, text in texts.items()}


def test_curves_of_any_length_and_those_not_run(tmp_path: Path) -> None:
    records = with_losses(tmp_path, a=losses(200), b=losses(3))
    found = drawn(curves("a", "b", "none"), records, tmp_path)
    raw, mean, short = found.axes[0].lines
    assert len(raw.get_xdata()) == len(mean.get_xdata()) == 200
    assert list(short.get_xdata()) == [0, 1, 2]
    assert mean.get_ydata()[100] == pytest.approx(np.mean([9 / (i + 1) for i in range(98, 102)]))
    assert mean.get_marker() != short.get_marker()
    assert legend(found) == ["series a", "series b", "series none (not run)"]
    assert found.axes[0].get_yscale() == "log"
    about = "light: every iteration; strong: mean over 2 % of a run"
    assert found.legends[0].get_title().get_text() == f"single runs, seed 0; {about}"
    only = drawn(curves("b"), records, tmp_path)
    assert only.legends[0].get_title().get_text() == "single runs, seed 0"


def test_of_several_seeds_the_first_is_drawn_and_named(tmp_path: Path) -> None:
    records = with_losses(tmp_path, b=losses(3))
    spec = figure("loss_curves", panels={"cross_entropy": "loss"})
    found = drawn(rows_table({"series": ["gone", "b"]}, spec, seeds=[3, 5]), records, tmp_path)
    assert found.legends[0].get_title().get_text() == "single runs, seed 5"


def test_a_picture_of_curves_is_wide_and_not_blank(tmp_path: Path) -> None:
    found = rendered(curves("a"), with_losses(tmp_path, a=losses(200)), tmp_path)
    picture = np.asarray(Image.open(io.BytesIO(found.png)).convert("L"))
    assert picture.shape[1] > 900
    assert 0.005 < (picture < 128).mean() < 0.3
    assert (picture[[0, -1]] > 250).all()
    assert (picture[:, [0, -1]] > 250).all(), "something is cut off"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not such a CSV file"),
        (HEAD, "no rows"),
        (HEAD + "0,1,2\n1,x,2\n", "not such a CSV file (could not convert string to float: 'x'"),
        (HEAD + "0,nan,2\n", "not such a CSV file"),
        (HEAD + "0,-inf,2\n", "not every number is finite"),
        (HEAD + "\n0,,2\n", "not such a CSV file"),
        (HEAD + "0,1,2\n1\n", "not such a CSV file"),
        (HEAD + "0,0,2\n", "cross_entropy: 0 has no place on a log axis"),
        ("iteration,generator\n0,1\n", "no 'cross_entropy'; it has iteration, generator"),
        ('iteration,cross_entropy\n0,"1\n', "not such a CSV file"),
    ],
)
def test_a_file_that_cannot_be_shown_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    records = with_losses(tmp_path, a=text)
    with pytest.raises(RecordError) as caught:
        drawn(curves("a"), records, tmp_path)
    assert str(caught.value).startswith(f"{folder_of(tmp_path, records['a'])}/losses.csv: {fault}")
    assert "\n" not in str(caught.value)


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    records = with_losses(tmp_path, a=losses(5))
    path = folder_of(tmp_path, records["a"]) / "losses.csv"
    path.write_text(losses(4))
    with pytest.raises(RecordError, match="not the file its record names"):
        drawn(curves("a"), records, tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match=r"losses\.csv: missing"):
        drawn(curves("a"), records, tmp_path)


def test_as_many_points_of_every_set_in_mixed_order(tmp_path: Path) -> None:
    text = points({"real": 90, "NI": 60, "di": 70})
    found = drawn(SCATTER, {"a": put(tmp_path, make_record("a"), embedding_csv=text)}, tmp_path)
    assert [axes.get_title("left") for axes in found.axes] == ["block 1", "block 2"]
    for axes in found.axes:
        (shown,) = axes.collections
        assert isinstance(shown, matplotlib.collections.PathCollection)
        colours = [matplotlib.colors.to_hex(colour) for colour in shown.get_facecolors()]
        assert Counter(colours) == {STYLES[name].colour: 60 for name in ("real", "ni", "di")}
        early = Counter(colours[:60])
        assert len(early) == 3
        assert min(early.values()) > 10, "one set hides another"
        assert len({path.vertices.tobytes() for path in shown.get_paths()}) == 3, "markers"
        assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    assert legend(found) == ["real", "NI", "di"]
    assert found.legends[0].get_title().get_text() == "60 images of each, seed 0"


def test_points_without_their_columns_are_refused(tmp_path: Path) -> None:
    records = {"a": put(tmp_path, make_record("a"), embedding_csv="stage,x,y\nb,1,2\n")}
    with pytest.raises(RecordError, match=r"embedding\.csv: no 'set'; it has stage, x, y"):
        drawn(SCATTER, records, tmp_path)
