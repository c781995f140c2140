"""Line plots: means with their range, gaps where nothing was run, levels and marks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from reports.records import Record
from reports.tables.layout import Row, Table, TableCell
from tests.reports.figures.figure_cases import drawn, figure, legend, rendered
from tests.reports.makers import make_column, make_record, make_table

COSTS = (40, 10, 20)


def lines(
    *names: str, x: Sequence[float] = (0.5, 0.7, 0.9), seeds: int = 3, **changes: Any
) -> Table:
    """A row per x, a column per name: ``a12`` is the key of its second point and third seed."""
    spec = figure("lines", x_label="pruned", y_label="accuracy", **changes)
    rows = [
        Row(
            str(point),
            {"Ratio": f"{place:g}"},
            {n: TableCell([f"{n}{point}{seed}" for seed in range(seeds)]) for n in names},
            x=place,
        )
        for point, place in enumerate(x)
    ]
    columns = [make_column(n, role="baseline" if n in ("T.", "b") else "method") for n in names]
    return make_table(rows[0].cells, rows=rows, columns=columns, figures=[spec])


def accuracies(*names: str, points: int = 3, seeds: int = 3) -> dict[str, Record]:
    """0.80 - 0.1 x point + 0.01 x seed."""
    return {
        key: make_record(key, 0.8 - 0.1 * point + 0.01 * seed)
        for name in names
        for point in range(points)
        for seed in range(seeds)
        for key in [f"{name}{point}{seed}"]
    }


def bars(found: Figure) -> list[ErrorbarContainer]:
    return [c for c in found.axes[0].containers if isinstance(c, ErrorbarContainer)]


def about(found: Figure) -> str:
    return found.legends[0].get_title().get_text()


def test_three_seeds_have_a_mean_and_a_range() -> None:
    found = drawn(lines("a"), accuracies("a"))
    (bar,) = bars(found)
    assert np.allclose(bar.lines[0].get_ydata(), [81, 71, 61])
    assert np.allclose(bar.lines[0].get_xdata(), [0.5, 0.7, 0.9])
    ends = [[low[1], high[1]] for low, high in bar.lines[2][0].get_segments()]
    assert np.allclose(ends, [[80, 82], [70, 72], [60, 62]])
    assert about(found) == "means of 3 runs, bars: least to greatest"


def test_one_seed_has_no_range() -> None:
    found = drawn(lines("a", seeds=1), accuracies("a"))
    (bar,) = bars(found)
    assert np.allclose(bar.lines[0].get_ydata(), [80, 70, 60])
    assert all(np.isnan(end).any() for ends in bar.lines[2][0].get_segments() for end in ends)
    assert about(found) == "single runs"


def test_what_was_not_run_leaves_a_gap_and_a_note() -> None:
    records = accuracies("a")
    for key in ("a10", "a11", "a12", "a20"):
        del records[key]
    found = drawn(lines("a", "c"), records)
    (bar,) = bars(found)
    assert np.allclose(bar.lines[0].get_xdata(), [0.5, 0.9])
    assert np.allclose(bar.lines[0].get_ydata(), [81, 61.5])
    assert legend(found) == ["a", "c (not run)"]
    assert about(found).startswith("means of 2 to 3 runs")


def test_levels_are_dashed_and_baselines_are_dotted() -> None:
    records = accuracies("NI", "b", "T.")
    table = lines("NI", "b", "T.", levels=["T."])
    found = drawn(table, records)
    (level,) = [line for line in found.axes[0].lines if list(line.get_xdata()) == [0, 1]]
    assert np.allclose(level.get_ydata(), 81)
    assert level.is_dashed()
    tuned, before = (bar.lines[0] for bar in bars(found))
    assert tuned.get_linestyle() != before.get_linestyle()
    assert before.get_markerfacecolor() == "white"
    assert legend(found) == ["NI", "b", "T."]
    assert legend(drawn(table, accuracies("NI", "b")))[-1] == "T. (not run)"


def test_series_differ_in_grey_and_stand_side_by_side() -> None:
    names = ["DAFL", "DFAD", "DI", "ADI", "NI", "NI+ADI", "mine", "yours"]
    shown = [bar.lines[0] for bar in bars(drawn(lines(*names), accuracies(*names)))]
    assert len({line.get_marker() for line in shown}) == len(names)
    assert len({tuple(np.asarray(line.get_xdata())) for line in shown}) == len(names)
    assert max(abs(np.asarray(line.get_xdata())[0] - 0.5) for line in shown) < 0.03


def test_single_runs_stand_at_their_own_x_and_bars_of_others_beside() -> None:
    records = accuracies("DI", "NI", "ADI")
    shown = bars(drawn(lines("DI", "NI", seeds=1), records))
    assert [list(bar.lines[0].get_xdata()) for bar in shown] == [[0.5, 0.7, 0.9]] * 2
    single = {key: r for key, r in records.items() if not (key[:2] == "DI" and key[3] in "12")}
    di, ni, adi = (b.lines[0].get_xdata()[0] for b in bars(drawn(lines("DI", "NI", "ADI"), single)))
    assert di == 0.5
    assert ni < 0.5 < adi


def test_x_too_close_for_ticks_of_their_own() -> None:
    found = drawn(lines("DI", "NI", x=[100, 1000, 256_000]), accuracies("DI", "NI"))
    assert [bar.lines[0].get_xdata()[0] for bar in bars(found)] == [100, 100]
    assert 100 not in found.axes[0].get_xticks()


def test_a_single_x_is_enough() -> None:
    assert rendered(lines("a", x=[1]), accuracies("a")).png


@pytest.fixture
def costs() -> dict[str, Record]:
    """Two seeds of NI, listed out of order, the second seed one iteration dearer."""
    return {
        key: make_record(
            key, metrics={"iterations": cost + seed, "agreement": cost / 100 + seed / 10}
        )
        for cost in COSTS
        for seed in (0, 1)
        for key in [f"NI{cost}-{seed}"]
    }


def tradeoff(*names: str) -> Table:
    """A row per name and cost; columns are the iterations and the teacher's agreement."""
    rows = [
        Row(
            f"{name}{cost}",
            {"Row": f"{name}{cost}"},
            {c: TableCell([f"{name}{cost}-{seed}" for seed in (0, 1)]) for c in ("cost", "worth")},
            series=name,
        )
        for name in names
        for cost in COSTS
    ]
    columns = [
        make_column("cost", metric="iterations", unit=""),
        make_column("worth", metric="agreement"),
    ]
    marks = {"the recipe's iterations": 20.0, "published iterations": 2000.0}
    spec = figure("tradeoff", x="cost", panels={"worth": "Agrees"}, x_label="its", marks=marks)
    return make_table(rows[0].cells, rows=rows, columns=columns, figures=[spec])


def test_points_stand_at_their_mean_cost_in_order(costs: dict[str, Record]) -> None:
    found = drawn(tradeoff("NI"), costs)
    (bar,) = bars(found)
    line, _, (ranges,) = bar
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [10.5, 20.5, 40.5])
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), [15, 25, 45])
    np.testing.assert_allclose(
        np.asarray(ranges.get_segments()[0], float), [[10.5, 10], [10.5, 20]]
    )
    assert found.axes[0].get_xscale() == "log"
    assert found.axes[0].get_title("left") == "Agrees"


def test_the_recipes_and_the_published_iterations_are_marked(costs: dict[str, Record]) -> None:
    found = drawn(tradeoff("NI"), costs)
    marks = [line.get_xdata()[0] for line in found.axes[0].lines if len(line.get_xdata()) == 2]
    assert marks == [20.0, 2000.0]
    marked = ["the recipe's iterations: 20", "published iterations: 2,000"]
    assert legend(found) == ["NI", *marked]


def test_what_was_not_run_is_said(costs: dict[str, Record]) -> None:
    assert legend(drawn(tradeoff("NI", "DI"), costs))[1] == "DI (not run)"
    missing = rendered(tradeoff("DI"), costs)
    assert (missing.files, missing.reason) == ({}, "not run: DI")
