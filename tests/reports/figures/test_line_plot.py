"""Figure 6: means with their range, gaps where nothing was run, levels, a second metric."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from reports.figures.draw import draw
from reports.figures.drawn import Drawn, Missing
from reports.figures.line_plot import draw_lines
from reports.figures.spec import Level, Lines, LineSeries
from reports.figures.style import drawing
from reports.records import Record, RecordError

MakeRecord = Callable[..., Record]


def lines(series: list[LineSeries], x: list[float] | None = None, levels: int = 0) -> Lines:
    return Lines(
        "figure6",
        "t",
        "c",
        "pruned",
        "accuracy in %",
        [0.5, 0.7, 0.9] if x is None else x,
        series,
        [Level(f"level {i}", ["teacher"], "test_accuracy") for i in range(levels)],
    )


def keys(name: str, seeds: int = 3, points: int = 3) -> list[list[str]]:
    return [[f"{name}{point}{seed}" for seed in range(seeds)] for point in range(points)]


@pytest.fixture
def records(new_record: MakeRecord) -> dict[str, Record]:
    """Three seeds of "a" at three x, 0.80 - 0.1 x point + 0.01 x seed; and the teacher."""
    found = {
        f"a{point}{seed}": 0.8 - 0.1 * point + 0.01 * seed
        for point in range(3)
        for seed in range(3)
    }
    metrics = {key: {"test_accuracy": value, "untuned": 0.1} for key, value in found.items()}
    made = {key: new_record(key, metrics=of) for key, of in metrics.items()}
    return {**made, "teacher": new_record("teacher", 0.95)}


def figure_of(spec: Lines, records: dict[str, Record]) -> Figure:
    with drawing():
        figure = draw_lines(spec, records)
    assert not isinstance(figure, Missing)
    return figure


def bars(figure: Figure) -> list[ErrorbarContainer]:
    return [c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].texts]


def test_three_seeds_have_a_mean_and_a_range(records: dict[str, Record]) -> None:
    figure = figure_of(lines([LineSeries("NI", keys("a"), "test_accuracy")]), records)
    (bar,) = bars(figure)
    assert np.allclose(bar.lines[0].get_ydata(), [81, 71, 61])
    assert np.allclose(bar.lines[0].get_xdata(), [0.5, 0.7, 0.9])
    segments = bar.lines[2][0].get_segments()
    assert np.allclose(
        [[low[1], high[1]] for low, high in segments], [[80, 82], [70, 72], [60, 62]]
    )
    about = figure.legends[0].get_title().get_text()
    assert about == "means of 3 runs,\nbars: least to greatest"


def test_one_seed_has_no_range(records: dict[str, Record]) -> None:
    figure = figure_of(lines([LineSeries("NI", keys("a", seeds=1), "test_accuracy")]), records)
    (bar,) = bars(figure)
    assert np.allclose(bar.lines[0].get_ydata(), [80, 70, 60])
    assert all(np.isnan(end).any() for ends in bar.lines[2][0].get_segments() for end in ends)
    assert figure.legends[0].get_title().get_text() == "single runs"


def test_a_record_that_serves_two_seeds_counts_once(records: dict[str, Record]) -> None:
    series = LineSeries("NI", [["a00", "a00"], ["a10", ""], ["a20"]], "test_accuracy")
    figure = figure_of(lines([series]), records)
    assert figure.legends[0].get_title().get_text() == "single runs"


def test_what_was_not_run_leaves_a_gap_and_a_note(records: dict[str, Record]) -> None:
    del records["a10"], records["a11"], records["a12"], records["a20"]
    series = [
        LineSeries("NI", keys("a"), "test_accuracy"),
        LineSeries("DI", keys("b"), "test_accuracy"),
    ]
    figure = figure_of(lines(series), records)
    (bar,) = bars(figure)
    values = np.asarray(bar.lines[0].get_ydata())
    assert np.isnan(values[1])
    assert np.allclose(values[[0, 2]], [81, 61.5])
    assert legend(figure) == ["NI", "DI (not run)"]
    assert "means of 2 to 3 runs" in figure.legends[0].get_title().get_text()


def test_levels_are_dashed_and_a_second_metric_is_dotted(records: dict[str, Record]) -> None:
    series = [
        LineSeries("NI", keys("a"), "test_accuracy"),
        LineSeries("NI (before tuning)", keys("a"), "untuned", dotted=True),
    ]
    figure = figure_of(lines(series, levels=1), records)
    (level,) = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [0, 1]]
    assert np.allclose(level.get_ydata(), 95)
    assert level.is_dashed()
    tuned, before = (bar.lines[0] for bar in bars(figure))
    assert tuned.get_color() == before.get_color()
    assert tuned.get_linestyle() != before.get_linestyle()
    assert before.get_markerfacecolor() == "white"
    assert legend(figure) == ["NI", "NI (before tuning)", "level 0"]
    del records["teacher"]
    assert legend(figure_of(lines(series, levels=1), records))[-1] == "level 0 (not run)"


def test_series_differ_in_grey_and_stand_side_by_side(records: dict[str, Record]) -> None:
    names = ["DAFL", "DFAD", "DI", "ADI", "NI", "NI+ADI", "mine", "yours"]
    series = [LineSeries(name, keys("a"), "test_accuracy") for name in names]
    shown = [bar.lines[0] for bar in bars(figure_of(lines(series), records))]
    assert len({line.get_marker() for line in shown}) == len(names)
    assert len({tuple(np.asarray(line.get_xdata())) for line in shown}) == len(names)
    assert max(abs(np.asarray(line.get_xdata())[0] - 0.5) for line in shown) < 0.03


def test_x_too_close_for_ticks_of_their_own(records: dict[str, Record]) -> None:
    series = [LineSeries(name, keys("a"), "test_accuracy") for name in ("DI", "NI")]
    figure = figure_of(lines(series, [100, 1000, 256_000]), records)
    assert [bar.lines[0].get_xdata()[0] for bar in bars(figure)] == [100, 100]
    assert 100 not in figure.axes[0].get_xticks()


def test_a_record_without_the_metric_is_refused(records: dict[str, Record], tmp_path: Path) -> None:
    spec = lines([LineSeries("NI", keys("a"), "f1")])
    fault = "figure6: record student-a00-a00 has no number 'f1'; it has test_accuracy, untuned"
    with pytest.raises(RecordError, match=fault):
        draw(spec, records, tmp_path)


def test_a_single_x_is_enough(records: dict[str, Record], tmp_path: Path) -> None:
    spec = lines([LineSeries("NI", keys("a", points=1), "test_accuracy")], [1])
    assert isinstance(draw(spec, records, tmp_path), Drawn)
