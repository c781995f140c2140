"""Quality against cost: points at measured costs, ranges of seeds, marks, what was not run."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from reports.figures.drawn import Missing
from reports.figures.spec import Course, Mark, Tradeoff, TradeoffPanel, Values
from reports.figures.style import drawing
from reports.figures.tradeoff import draw_tradeoff
from reports.page.sources import sources_of
from reports.records import Record, RecordError

MakeRecord = Callable[..., Record]
COSTS = (40, 10, 20)


def values(name: str, metric: str, factor: float = 1.0) -> list[Values]:
    return [Values([f"{name}{cost}-{seed}" for seed in (0, 1)], metric, factor) for cost in COSTS]


def tradeoff(*names: str, metric: str = "agreement") -> Tradeoff:
    courses = [Course(n, values(n, "iterations"), values(n, metric, 100.0)) for n in names]
    marks = [Mark("the recipe's", Values(["NI20-0"], "iterations"))]
    return Tradeoff("t", "t", "c", "its", [TradeoffPanel("Agrees", courses)], marks, 2000.0)


@pytest.fixture
def records(new_record: MakeRecord) -> dict[str, Record]:
    """Two seeds of NI, listed out of order, the second seed one iteration dearer."""
    return {
        f"NI{cost}-{seed}": new_record(
            f"NI{cost}-{seed}",
            metrics={"iterations": cost + seed, "agreement": cost / 100 + seed / 10},
        )
        for cost in COSTS
        for seed in (0, 1)
    }


def drawn(spec: Tradeoff, records: dict[str, Record]) -> Figure:
    with drawing():
        figure = draw_tradeoff(spec, records)
    assert not isinstance(figure, Missing)
    return figure


def test_points_stand_at_their_mean_cost_in_order(records: dict[str, Record]) -> None:
    figure = drawn(tradeoff("NI"), records)
    (bars,) = [c for c in figure.axes[0].containers if isinstance(c, ErrorbarContainer)]
    line, _, (ranges,) = bars
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), [10.5, 20.5, 40.5])
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), [15, 25, 45])
    np.testing.assert_allclose(
        np.asarray(ranges.get_segments()[0], float), [[10.5, 10], [10.5, 20]]
    )
    assert figure.axes[0].get_xscale() == "log"


def test_the_recipes_and_the_published_budget_are_marked(records: dict[str, Record]) -> None:
    figure = drawn(tradeoff("NI"), records)
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert marks == [20.0, 2000.0]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["NI", "the recipe's", "published: 2,000"]
    assert figure.legends[0].get_title().get_text().startswith("means of up to 2 seeds")


def test_what_was_not_run_is_said(records: dict[str, Record]) -> None:
    texts = [t.get_text() for t in drawn(tradeoff("NI", "DI"), records).legends[0].get_texts()]
    assert texts[1] == "DI (not run)"
    missing = draw_tradeoff(tradeoff("DI"), records)
    assert missing == Missing("not run: DI")


def test_a_metric_that_a_record_lacks_is_an_error(records: dict[str, Record]) -> None:
    with pytest.raises(RecordError, match=r"^t: record .* has no number 'fid'; it has agreement"):
        draw_tradeoff(tradeoff("NI", metric="fid"), records)


def test_the_page_leads_from_the_figure_to_its_records() -> None:
    found = sources_of(tradeoff("NI"))
    assert len(found) == 6
    assert found[0] == ("Agrees: NI", "NI40-0")
