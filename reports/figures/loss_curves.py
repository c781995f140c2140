"""Figure 5: the course of loss terms over the iterations, a panel per term."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reports.figures.axes import legend_below, panels, plain
from reports.figures.columns import read_columns
from reports.figures.drawn import Missing
from reports.figures.spec import Curves, Panel
from reports.figures.style import MUTED, Look, looks
from reports.records import Record, RecordError, folder_of

STEP = "iteration"
SMOOTH = 50  # the strong line is the mean over one part in so many of a run
MARKERS = 7  # on each strong line


def draw_curves(figure: Curves, records: Mapping[str, Record], runs: Path) -> Figure | Missing:
    """Every iteration as a light line, the rolling mean as a strong one.

    RecordError as `read_columns`, and for a number that a log axis cannot show.
    """
    names = list(dict.fromkeys([STEP, *(panel.column for panel in figure.panels)]))
    courses: list[pd.DataFrame | None] = []
    for series in figure.series:
        record = records.get(series.record)
        if record is None:
            courses.append(None)
            continue
        courses.append(read_columns(record, figure.file, runs, names))
        _refuse_below_zero(figure, courses[-1], folder_of(runs, record) / figure.file)
    labels = [plain(series.label, 40) for series in figure.series]
    if all(course is None for course in courses):
        return Missing("not run: " + ", ".join(labels))
    drawn, axes = panels([panel.title for panel in figure.panels], height=2.5)
    styles = looks([series.label for series in figure.series])
    for one, panel in zip(axes, figure.panels, strict=True):
        for index, (course, look) in enumerate(zip(courses, styles, strict=True)):
            if course is not None:
                start = index / len(styles)
                _curve(one, course[STEP], course[panel.column], look, start)
        _scale(one, panel)
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, label=label)
        if course is not None
        else Line2D([], [], color=MUTED, linestyle="none", label=f"{label} (not run)")
        for label, look, course in zip(labels, styles, courses, strict=True)
    ]
    smooth = any(_window(course) > 1 for course in courses if course is not None)
    note = f"light: every iteration; strong: mean over {100 // SMOOTH} % of a run" if smooth else ""
    legend_below(drawn, handles, note)
    return drawn


def _curve(
    axes: Axes, steps: pd.Series[float], values: pd.Series[float], look: Look, start: float
) -> None:
    """One series; ``start`` (0 to 1) moves its markers away from those of the others."""
    window = _window(values)
    mean = values.rolling(window, center=True, min_periods=1).mean()
    if window > 1:
        axes.plot(steps, values, color=look.colour, alpha=0.3, linewidth=0.5)
    every = max(1, len(values) // MARKERS)
    axes.plot(
        steps,
        mean,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markevery=(int(start * every), every),
        markeredgecolor="white",
        markeredgewidth=0.5,
        zorder=3,
    )


def _scale(axes: Axes, panel: Panel) -> None:
    axes.set_xlabel(STEP)
    axes.margins(x=0.02)
    if not panel.log:
        return
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1000 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _window(values: pd.Series[float] | pd.DataFrame) -> int:
    return max(1, round(len(values) / SMOOTH))


def _refuse_below_zero(figure: Curves, course: pd.DataFrame | None, path: Path) -> None:
    for panel in figure.panels:
        if course is None or not panel.log:
            continue
        low = course[panel.column][course[panel.column] <= 0]
        if len(low):
            raise RecordError(
                f"{path}: line {low.index[0]}, {panel.column}: {low.iloc[0]:g} has no place on a "
                "log axis"
            )
