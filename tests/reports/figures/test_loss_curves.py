"""Figures 4 and 5: what is read from CSV files is shown whole, or refused by line and column."""

import hashlib
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import matplotlib.collections
import matplotlib.colors
import numpy as np
import pytest
from PIL import Image

from reports.figures.draw import draw
from reports.figures.drawn import Drawn, Missing
from reports.figures.loss_curves import draw_curves
from reports.figures.scatter import draw_scatter
from reports.figures.spec import Curves, Panel, Scatter, Series
from reports.figures.style import LOOKS, drawing
from reports.records import Record, RecordError, folder_of

MakeRecord = Callable[..., Record]

COURSE = "iteration,cross_entropy,bn_statistics\n"


def put(runs: Path, record: Record, text: str, file: str = "losses.csv") -> Record:
    folder = folder_of(runs, record)
    folder.mkdir(parents=True)
    (folder / file).write_text(text)
    record.artefacts[file] = hashlib.sha256(text.encode()).hexdigest()
    return record


def course(count: int) -> str:
    return COURSE + "".join(f"{i},{9 / (i + 1)},{-i}\n" for i in range(count))


def curves(*keys: str, column: str = "cross_entropy", log: bool = True) -> Curves:
    series = [Series(f"series {key}", key) for key in keys]
    return Curves("figure5", "t", "c", [Panel("loss", column, log)], series)


def embedding(sizes: dict[str, int]) -> str:
    draws = np.random.default_rng(0)
    rows = [
        f"{stage},{name},{x:.4f},{y:.4f}\n"
        for stage in ("block 1", "block 2")
        for name, size in sizes.items()
        for x, y in draws.normal(size=(size, 2))
    ]
    return "stage,set,x,y\n" + "".join(rows)


def test_curves_of_any_length_and_those_not_run(tmp_path: Path, new_record: MakeRecord) -> None:
    records = {
        key: put(tmp_path, new_record(key), course(count)) for key, count in (("a", 200), ("b", 3))
    }
    with drawing():
        figure = draw_curves(curves("a", "b", "none"), records, tmp_path)
        assert not isinstance(figure, Missing)
    raw, mean, short = figure.axes[0].lines
    assert len(raw.get_xdata()) == len(mean.get_xdata()) == 200
    assert list(short.get_xdata()) == [0, 1, 2]
    assert mean.get_ydata()[100] == pytest.approx(np.mean([9 / (i + 1) for i in range(98, 102)]))
    assert mean.get_marker() != short.get_marker()
    labels = [text.get_text() for text in figure.legends[0].texts]
    assert labels == ["series a", "series b", "series none (not run)"]
    assert figure.axes[0].get_yscale() == "log"


def test_a_picture_of_curves_is_wide_and_not_blank(tmp_path: Path, new_record: MakeRecord) -> None:
    records = {"a": put(tmp_path, new_record("a"), course(200))}
    drawn = draw(curves("a"), records, tmp_path)
    assert isinstance(drawn, Drawn)
    picture = np.asarray(Image.open(io.BytesIO(drawn.png)).convert("L"))
    assert picture.shape[1] > 900
    assert 0.005 < (picture < 128).mean() < 0.3
    assert (picture[[0, -1]] > 250).all()
    assert (picture[:, [0, -1]] > 250).all(), "something is cut off"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no rows"),
        (COURSE, "no rows"),
        (COURSE + "0,1,2\n1,x,2\n", "line 3, cross_entropy: 'x' is not a finite number"),
        (COURSE + "0,nan,2\n", "line 2, cross_entropy: 'nan' is not a finite number"),
        (COURSE + "0,-inf,2\n", "line 2, cross_entropy: '-inf' is not a finite number"),
        (COURSE + "\n0,,2\n", "line 3, cross_entropy: '' is not a finite number"),
        (COURSE + "0,1,2\n1,1\n", "line 3 has 2 fields, not 3"),
        (COURSE + "0,0,2\n", "line 2, cross_entropy: 0 has no place on a log axis"),
        ("iteration,generator\n0,1\n", "no 'cross_entropy'; it has iteration, generator"),
        ("iteration,cross_entropy,cross_entropy\n0,1,1\n", "2 columns 'cross_entropy'"),
        ('iteration,cross_entropy\n0,"1\n', "not a CSV file"),
    ],
)
def test_a_file_that_cannot_be_shown_is_refused(
    tmp_path: Path, new_record: MakeRecord, text: str, fault: str
) -> None:
    records = {"a": put(tmp_path, new_record("a"), text)}
    with pytest.raises(RecordError) as caught:
        draw(curves("a"), records, tmp_path)
    assert str(caught.value).startswith(f"{folder_of(tmp_path, records['a'])}/losses.csv: {fault}")
    assert "\n" not in str(caught.value)


def test_numbers_below_zero_have_a_place_on_a_linear_axis(
    tmp_path: Path, new_record: MakeRecord
) -> None:
    records = {"a": put(tmp_path, new_record("a"), course(5))}
    with drawing():
        figure = draw_curves(curves("a", column="bn_statistics", log=False), records, tmp_path)
        assert not isinstance(figure, Missing)
    assert list(figure.axes[0].lines[0].get_ydata()) == [0, -1, -2, -3, -4]


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path, new_record: MakeRecord) -> None:
    records = {"a": put(tmp_path, new_record("a"), course(5))}
    path = folder_of(tmp_path, records["a"]) / "losses.csv"
    path.write_text(course(4))
    with pytest.raises(RecordError, match="not the file its record names"):
        draw(curves("a"), records, tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match=r"losses\.csv: missing"):
        draw(curves("a"), records, tmp_path)


def test_as_many_points_of_every_set_in_mixed_order(tmp_path: Path, new_record: MakeRecord) -> None:
    text = embedding({"real": 90, "ni": 60, "di": 70})
    records = {"a": put(tmp_path, new_record("a"), text, "embedding.csv")}
    spec = Scatter("figure4", "t", "c", "a", names={"ni": "NaturalInversion"})
    with drawing():
        figure = draw_scatter(spec, records, tmp_path)
        assert not isinstance(figure, Missing)
    assert [axes.get_title("left") for axes in figure.axes] == ["block 1", "block 2"]
    for axes in figure.axes:
        (points,) = axes.collections
        assert isinstance(points, matplotlib.collections.PathCollection)
        shown = [matplotlib.colors.to_hex(colour) for colour in points.get_facecolors()]
        assert Counter(shown) == {LOOKS[name].colour: 60 for name in ("real", "ni", "di")}
        early = Counter(shown[:60])
        assert len(early) == 3
        assert min(early.values()) > 10, "one set hides another"
        assert len({path.vertices.tobytes() for path in points.get_paths()}) == 3, "markers"
        assert list(axes.get_xticks()) == list(axes.get_yticks()) == []
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.texts] == ["real", "NaturalInversion", "di"]
    assert legend.get_title().get_text() == "60 images of each"


def test_an_embedding_without_its_columns_is_refused(
    tmp_path: Path, new_record: MakeRecord
) -> None:
    records = {"a": put(tmp_path, new_record("a"), "stage,x,y\nb,1,2\n", "embedding.csv")}
    with pytest.raises(RecordError, match=r"embedding\.csv: no 'set'; it has stage, x, y"):
        draw(Scatter("figure4", "t", "c", "a"), records, tmp_path)
