"""What quality costs: metrics against the iterations that were spent, a panel per metric."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.figures.axes import legend_below, panels, plain
from reports.figures.drawn import Missing
from reports.figures.seeds import values_of
from reports.figures.spec import Course, Tradeoff, TradeoffPanel
from reports.figures.style import MUTED, Look, looks
from reports.records import Record

Point = tuple[float, list[float]]  # the mean cost, and the quality of each seed
DASHES = ((0, (5, 2)), (0, (1, 1.5)))  # of the recipe's budget and of the published one


def draw_tradeoff(figure: Tradeoff, records: Mapping[str, Record]) -> Figure | Missing:
    """Means with bars from the least to the greatest of the seeds, at the mean cost.

    RecordError if a record has no number of the metric's name.
    """
    labels = list(dict.fromkeys(c.label for panel in figure.panels for c in panel.courses))
    styles = dict(zip(labels, looks(labels), strict=True))
    found = [
        {course.label: _points(figure.name, course, records) for course in panel.courses}
        for panel in figure.panels
    ]
    if not any(any(courses.values()) for courses in found):
        return Missing("not run: " + ", ".join(plain(label, 24) for label in labels))
    marks = _marks(figure, records)
    drawn, axes = panels([panel.title for panel in figure.panels], height=2.3)
    for one, panel, courses in zip(axes, figure.panels, found, strict=True):
        _panel(one, panel, courses, styles)
        for (_, place), dash in zip(marks, DASHES, strict=False):
            one.axvline(place, color=MUTED, linewidth=1, linestyle=dash, zorder=1)
        _scale(one, figure.x_label)
    run = {label for courses in found for label, points in courses.items() if points}
    handles = [_handle(label, styles[label], label in run) for label in labels]
    handles += [
        Line2D([], [], color=MUTED, linewidth=1, linestyle=dash, label=label)
        for (label, _), dash in zip(marks, DASHES, strict=False)
    ]
    most = max(len(v) for courses in found for points in courses.values() for _, v in points)
    about = f"means of up to {most} seeds, bars: least to greatest" if most > 1 else "single runs"
    legend_below(drawn, handles, about)
    return drawn


def _points(name: str, course: Course, records: Mapping[str, Record]) -> list[Point]:
    """Those that were run, by cost."""
    points: list[Point] = []
    for x, y in zip(course.x, course.y, strict=True):
        costs = values_of(name, x, x.records, records)
        values = values_of(name, y, y.records, records)
        if costs and values:
            points.append((sum(costs) / len(costs), values))
    return sorted(points, key=lambda point: point[0])


def _marks(figure: Tradeoff, records: Mapping[str, Record]) -> list[tuple[str, float]]:
    marks = []
    for mark in figure.marks:
        if costs := values_of(figure.name, mark.x, mark.x.records, records):
            marks.append((plain(mark.label, 40), sum(costs) / len(costs)))
    if figure.published:
        marks.append((f"published: {figure.published:,.0f}", figure.published))
    return marks


def _panel(
    axes: Axes, panel: TradeoffPanel, courses: Mapping[str, list[Point]], styles: Mapping[str, Look]
) -> None:
    for course in panel.courses:
        points = courses[course.label]
        if not points:
            continue
        look = styles[course.label]
        means = [sum(values) / len(values) for _, values in points]
        below = [mean - min(values) for mean, (_, values) in zip(means, points, strict=True)]
        above = [max(values) - mean for mean, (_, values) in zip(means, points, strict=True)]
        axes.errorbar(
            [cost for cost, _ in points],
            means,
            yerr=[below, above],
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            markeredgecolor="white",
            markeredgewidth=0.5,
            capsize=2.5,
            elinewidth=0.8,
            zorder=3,
        )


def _scale(axes: Axes, label: str) -> None:
    axes.set_xscale("log")
    axes.set_xlabel(plain(label))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _handle(label: str, look: Look, run: bool) -> Line2D:
    text = plain(label, 40)
    if not run:
        return Line2D([], [], color=MUTED, linestyle="none", label=f"{text} (not run)")
    return Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, label=text)
