"""Figure 6 and the study of iterations: means over seeds against a quantity, with their range."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.axes import about_runs, legend_below, log_ticks, panels, wrap_label
from reports.figures.style import DASHES, MUTED, series_styles
from reports.records import NotRunError
from reports.tables.layout import FigureSpec, Table

Values = tuple[float, ...]  # of one number, by seed
Points = list[tuple[float, Values]]  # x with the values there, where something was run
Numbers = Mapping[tuple[str, str], Values]  # by row and column of the table

TICKS = 12  # an axis has room for so many
DODGE = 0.3  # horizontal offset of series with bars, as a fraction of the spacing of x


def draw_line_plot(figure: FigureSpec, table: Table, frame: pd.DataFrame) -> Figure:
    """Means with bars from the least to the greatest of the seeds, and reference lines.

    ``lines``: a line per column against `Row.x`, dotted for baselines. ``tradeoff``: a panel per
    column, a line per `Row.series` against the mean of the column ``x``, on a log axis.
    """
    places = zip(frame["row"], frame["column"], strict=True)
    numbers = dict(zip(places, frame["values"], strict=True))
    tradeoff = figure.type == "tradeoff"
    content = (_tradeoff if tradeoff else _lines)(figure, table, numbers)
    labels = list(dict.fromkeys(label for lines in content.values() for label in lines))
    run = {label for lines in content.values() for label, points in lines.items() if points}
    if not run:
        raise NotRunError(f"not run: {', '.join(wrap_label(label, 24) for label in labels)}")
    baselines = {column.title for column in table.columns if column.role == "baseline"}
    styles = dict(zip(labels, series_styles(labels), strict=True))
    references = dict(figure.marks) if tradeoff else _levels(figure, table, numbers)
    drawn, axes = panels(list(content), height=2.3 if tradeoff else 3.2)
    for one, lines in zip(axes, content.values(), strict=True):
        one.set(xlabel=wrap_label(figure.x_label), ylabel=wrap_label(figure.y_label, 40))
        shown = {label: points for label, points in lines.items() if points}
        log_x = tradeoff or figure.log_x
        barred = [label for label, points in shown.items() if any(len(v) > 1 for _, v in points)]
        offsets = {} if log_x else _ticks_and_offsets(one, table, barred)
        for label, points in shown.items():
            plot, offset = styles[label].plot(hollow=label in baselines), offsets.get(label, 0.0)
            _draw_line(one, [(x + offset, values) for x, values in points], plot)
        for place, dash in zip(references.values(), itertools.cycle(DASHES)):
            rule = one.axvline if tradeoff else one.axhline
            rule(place, color=MUTED, linewidth=1, linestyle=(0, dash), zorder=1)
        if tradeoff:
            one.set_xscale("log")
            log_ticks(one.xaxis, (1, 3))
        elif figure.log_x:
            one.set_xscale("log")
            x_ticks = sorted({row.x or 0.0 for row in table.rows})
            one.set_xticks(x_ticks, [f"{place:,.0f}" for place in x_ticks])
            one.minorticks_off()
    handles = [
        styles[label].handle(wrap_label(label, 40), label in run, label in baselines)
        for label in labels
    ]
    for (label, place), dash in zip(references.items(), itertools.cycle(DASHES)):
        text = f"{label}: {place:,.0f}" if tradeoff else label
        text = f"{label} (not run)" if math.isnan(place) else text
        handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, dash), label=text))
    counts = {len(v) for lines in content.values() for p in lines.values() for _, v in p}
    legend_below(drawn, handles, about_runs(counts, "bars"))
    return drawn


def _lines(figure: FigureSpec, table: Table, numbers: Numbers) -> dict[str, dict[str, Points]]:
    """Points of each line by its label, in the one panel, which has no title."""
    lines: dict[str, Points] = {}
    for column in table.columns:
        if column.id not in figure.levels:
            points = [(row.x or 0.0, numbers[row.id, column.id]) for row in table.rows]
            lines[column.title] = sorted((x, values) for x, values in points if values)
    return {"": lines}


def _tradeoff(figure: FigureSpec, table: Table, numbers: Numbers) -> dict[str, dict[str, Points]]:
    """Points of each line by its label, by the title of the panel."""
    content: dict[str, dict[str, Points]] = {}
    for column, title in figure.panels.items():
        lines: dict[str, Points] = {row.series: [] for row in table.rows}
        for row in table.rows:
            x, values = numbers[row.id, figure.x], numbers[row.id, column]
            if x and values:
                lines[row.series].append((fmean(x), values))
        content[title] = {label: sorted(points) for label, points in lines.items()}
    return content


def _levels(figure: FigureSpec, table: Table, numbers: Numbers) -> dict[str, float]:
    """Means of the columns that are drawn as horizontal lines; nan where nothing was run."""
    titles = {column.id: column.title for column in table.columns}
    first = table.rows[0].id
    return {
        titles[name]: fmean(numbers[first, name]) if numbers[first, name] else math.nan
        for name in figure.levels
    }


def _ticks_and_offsets(axes: Axes, table: Table, barred: Sequence[str]) -> dict[str, float]:
    """A tick at every x, and how far each series with bars stands beside it, by its label, so that
    no bar hides another.

    Neither where x lie too close for a tick each.
    """
    x = sorted(row.x or 0.0 for row in table.rows)
    spacing = min((b - a for a, b in itertools.pairwise(x)), default=0.0)
    if spacing * TICKS < x[-1] - x[0] or not spacing:
        return {}
    axes.set_xticks(x, [f"{place:g}" for place in x])
    step = DODGE * spacing / max(1, len(barred))
    return {label: step * (i + 0.5 - len(barred) / 2) for i, label in enumerate(barred)}


def _draw_line(axes: Axes, points: Points, plot: Mapping[str, Any]) -> None:
    means = [fmean(values) for _, values in points]
    spread = [(min(v), max(v)) if len(v) > 1 else (math.nan, math.nan) for _, v in points]
    below = [mean - low for mean, (low, _) in zip(means, spread, strict=True)]
    above = [high - mean for mean, (_, high) in zip(means, spread, strict=True)]
    x = [place for place, _ in points]
    axes.errorbar(x, means, yerr=[below, above], capsize=3, elinewidth=0.9, zorder=3, **plot)
