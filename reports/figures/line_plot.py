"""Figure 6: means over seeds against one quantity, such as accuracy against the part pruned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.axes import HANDLE, WIDTH, entry_height, plain
from reports.figures.drawn import Missing
from reports.figures.seeds import values_of
from reports.figures.spec import Lines, LineSeries
from reports.figures.style import MUTED, Look, looks
from reports.records import Record

HEIGHT = 3.2  # inches, or what the legend needs
LEVELS = ((5, 2), (2, 2), (8, 2, 2, 2))  # dashes of the horizontal lines
TICKS = 12  # an axis has room for so many
MOVED = 0.3  # of the distance between two x: the room that the series of one x take


def draw_lines(figure: Lines, records: Mapping[str, Record]) -> Figure | Missing:
    """Means with bars from the least to the greatest of the seeds; gaps where nothing was run.

    RecordError if a record has no number of the metric's name.
    """
    name = figure.name
    found = [[values_of(name, s, keys, records) for keys in s.records] for s in figure.series]
    levels = [values_of(name, level, level.records, records) for level in figure.levels]
    names = [series.label for series in figure.series] + [level.label for level in figure.levels]
    labels = [plain(name, 24) for name in names]
    if not any(any(points) for points in found):
        return Missing("not run: " + ", ".join(labels[: len(found)]))
    height = max(HEIGHT, 0.7 + sum(map(entry_height, labels)))
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = drawn.add_subplot()
    sns.despine(ax=axes)
    handles: list[Line2D] = []
    step = _step(figure.x)
    moves = iter(_moves(step, sum(map(any, found))))
    for series, look, points, label in zip(
        figure.series, _looks(figure.series), found, labels[: len(found)], strict=True
    ):
        if not any(points):
            handles.append(_not_run(label))
            continue
        style = _style(series, look)
        by = next(moves)
        _bars(axes, [x + by for x in figure.x], points, style)
        handles.append(Line2D([], [], label=label, **style))
    for index, (values, label) in enumerate(zip(levels, labels[len(found) :], strict=True)):
        if not values:
            handles.append(_not_run(label))
            continue
        dash = (0, LEVELS[index % len(LEVELS)])
        axes.axhline(sum(values) / len(values), color=MUTED, linewidth=1, linestyle=dash, zorder=1)
        handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=dash, label=label))
    axes.set(xlabel=plain(figure.x_label), ylabel=plain(figure.y_label, 40))
    if step:
        axes.set_xticks(figure.x, [f"{x:g}" for x in figure.x])
    about = _about({len(values) for points in found for values in points if values})
    drawn.legend(handles=handles, loc="outside right upper", title=about, handlelength=HANDLE)
    return drawn


def _step(x: Sequence[float]) -> float:
    """The least distance between two x; 0 if they lie too close for a tick each."""
    least = min((b - a for a, b in itertools.pairwise(x)), default=0.0)
    return least if least * TICKS >= x[-1] - x[0] else 0.0


def _moves(step: float, count: int) -> list[float]:
    """How far each series stands beside its x, so that bars and markers don't hide another's."""
    return [MOVED * step * ((index + 0.5) / count - 0.5) for index in range(count)]


def _bars(
    axes: Axes, x: Sequence[float], points: Sequence[Sequence[float]], style: Mapping[str, Any]
) -> None:
    means = [sum(values) / len(values) if values else math.nan for values in points]
    ends = [(min(v), max(v)) if len(v) > 1 else (math.nan, math.nan) for v in points]
    below = [mean - low for mean, (low, _) in zip(means, ends, strict=True)]
    above = [high - mean for mean, (_, high) in zip(means, ends, strict=True)]
    axes.errorbar(
        x, means, yerr=[below, above], capsize=3.5, capthick=0.9, elinewidth=0.9, zorder=3, **style
    )


def _looks(series: Sequence[LineSeries]) -> list[Look]:
    """Solid and dotted lines are told apart by their dots, so the two may share a colour."""
    kinds = {dotted: [s.label for s in series if s.dotted is dotted] for dotted in (False, True)}
    given = {dotted: iter(looks(labels)) for dotted, labels in kinds.items()}
    return [next(given[s.dotted]) for s in series]


def _style(series: LineSeries, look: Look) -> dict[str, Any]:
    return {
        "color": look.colour,
        "marker": look.marker,
        "linestyle": (0, (1, 1.8)) if series.dotted else look.line,
        "markerfacecolor": "white" if series.dotted else look.colour,
        "markeredgecolor": look.colour if series.dotted else "white",
        "markeredgewidth": 1.0 if series.dotted else 0.5,
        "markersize": 5 if series.dotted else 6,
    }


def _not_run(label: str) -> Line2D:
    return Line2D([], [], linestyle="none", label=f"{label} (not run)")


def _about(counts: set[int]) -> str:
    """What a point is, for the legend; ``counts`` are the numbers of seeds met."""
    if counts == {1}:
        return "single runs"
    least, most = min(counts), max(counts)
    runs = f"{most}" if least == most else f"{least} to {most}"
    return f"means of {runs} runs,\nbars: least to greatest"
