"""What a budget buys: numbers of students against the time for their images, or their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.axes import about_runs, legend_below, log_ticks, panels, wrap_label
from reports.figures.style import DASHES, MUTED, SeriesStyle, series_styles
from reports.machine import machines_of
from reports.records import NotRunError, Record, RecordError
from reports.tables.image_seconds import image_seconds
from reports.tables.layout import FigureSpec, Row, Table

NAME = "Method"  # label of rows that tells lines apart
BAND = 0.18  # opacity
BANDS, BARS = "bands", "bars"  # how the range of seeds is drawn


@dataclass(frozen=True)
class Point:
    """Mean x of the seeds, and their values there."""

    x: float
    values: tuple[float, ...]


def draw_budget(
    figure: FigureSpec, table: Table, frame: pd.DataFrame, records: Mapping[str, Record]
) -> Figure:
    """A panel per column of ``panels``, a line per method: means, bands from the least to the
    greatest of the seeds, on a log axis. A method whose points have one x has bars, not a band.

    Against ``seconds``, controls are levels, of the most images that they have; against ``images``
    they are lines, and methods whose student learned with the generator are left out. RecordError
    where the seconds are of several machines.
    """
    names = list(dict.fromkeys(row.labels[NAME] for row in table.rows))
    styles = dict(zip(names, series_styles(names), strict=True))
    controls = {row.labels[NAME] for row in table.rows if row.role == "baseline"}
    by_time = figure.x == "seconds"
    if by_time:
        _one_machine(table, records)
    content = {c: _points(table, frame, c, records, by_time) for c in figure.panels}
    run = {name for lines in content.values() for name, points in lines.items() if points}
    if not run:
        raise NotRunError(f"not run: {', '.join(wrap_label(name, 24) for name in names)}")
    drawn, axes = panels(list(figure.panels.values()), height=3.2)
    levels = dict(zip([n for n in names if n in controls and by_time], DASHES * 9, strict=False))
    spreads = set()
    for one, lines in zip(axes, content.values(), strict=True):
        one.set(xlabel=wrap_label(figure.x_label), ylabel=wrap_label(figure.y_label, 40))
        one.set_xscale("log")
        for name, points in lines.items():
            if name in levels and points:
                level = fmean(points[-1].values)
                one.axhline(level, color=MUTED, linewidth=1, linestyle=(0, levels[name]), zorder=1)
            elif points:
                spreads.add(_draw(one, points, styles[name], hollow=name in controls))
        _ticks(one, lines, by_time)
    together = set() if by_time else _jointly_trained(table, records)
    handles = [
        _level(name, levels[name], name in run)
        if name in levels
        else styles[name].handle(wrap_label(name, 40), name in run, name in controls)
        for name in names
        if name not in together
    ]
    counts = {len(p.values) for lines in content.values() for ps in lines.values() for p in ps}
    spread = " or ".join(kind for kind in (BANDS, BARS) if kind in spreads)
    legend_below(drawn, handles, about_runs(counts, spread))
    return drawn


def _points(
    table: Table, frame: pd.DataFrame, column: str, records: Mapping[str, Record], by_time: bool
) -> dict[str, list[Point]]:
    """The points of each line, by its name, in the order of x."""
    measured = {
        str(line["row"]): (line["records"], line["values"])
        for line in frame.to_dict("records")
        if line["column"] == column
    }
    lines: dict[str, list[Point]] = {row.labels[NAME]: [] for row in table.rows}
    for row in table.rows:
        found = []
        for key, value in zip(*measured[row.id], strict=True):
            x = _x(row, records[key], records, by_time)
            if x:
                found.append((x, value))
        if found:
            point = Point(fmean(x for x, _ in found), tuple(value for _, value in found))
            lines[row.labels[NAME]].append(point)
    return {name: sorted(points, key=lambda point: point.x) for name, points in lines.items()}


def _x(row: Row, student: Record, records: Mapping[str, Record], by_time: bool) -> float | None:
    if not by_time:
        return None if student.kind == "joint_student" else row.x
    return row.x if row.role == "baseline" else image_seconds(student, records).seconds


def _students(table: Table, records: Mapping[str, Record]) -> list[tuple[Row, Record]]:
    keys = [(row, key) for row in table.rows for cell in row.cells.values() for key in cell.records]
    return [(row, records[key]) for row, key in keys if key in records]


def _jointly_trained(table: Table, records: Mapping[str, Record]) -> set[str]:
    """The methods whose student learned with the generator, not from a number of images."""
    found = _students(table, records)
    return {row.labels[NAME] for row, one in found if one.kind == "joint_student"}


def _one_machine(table: Table, records: Mapping[str, Record]) -> None:
    makers: dict[str, Record] = {}
    for row, student in _students(table, records):
        if row.role == "method":
            makers |= image_seconds(student, records).makers
    machines = {machines_of([record]) for record in makers.values()}
    if len(machines) > 1:
        raise RecordError(
            f"{table.name}: seconds of several machines share no axis: "
            f"{'; '.join(sorted(machines))}"
        )


def _draw(axes: Axes, points: Sequence[Point], style: SeriesStyle, hollow: bool) -> str:
    """Returns how the range of the seeds is drawn; empty for single runs."""
    x = [point.x for point in points]
    means = [fmean(point.values) for point in points]
    low, high = [min(p.values) for p in points], [max(p.values) for p in points]
    several = max(len(point.values) for point in points) > 1
    plot: dict[str, Any] = style.plot(hollow)
    if several and len(set(x)) == 1:  # a band would have no width
        below = [mean - end for mean, end in zip(means, low, strict=True)]
        above = [end - mean for mean, end in zip(means, high, strict=True)]
        axes.errorbar(x, means, yerr=[below, above], capsize=3, elinewidth=0.9, zorder=3, **plot)
        return BARS
    if several:
        axes.fill_between(x, low, high, color=style.colour, alpha=BAND, linewidth=0, zorder=2)
    axes.plot(x, means, zorder=3, **plot)
    return BANDS if several else ""


def _ticks(axes: Axes, lines: Mapping[str, Sequence[Point]], by_time: bool) -> None:
    if by_time:
        log_ticks(axes.xaxis, (1, 2, 5))
        return
    places = sorted({point.x for points in lines.values() for point in points})
    axes.set_xticks(places, [f"{place:,.0f}" for place in places])
    axes.minorticks_off()


def _level(name: str, dash: tuple[int, ...], run: bool) -> Line2D:
    label = wrap_label(name if run else f"{name} (not run)", 40)
    return Line2D([], [], color=MUTED, linewidth=1, linestyle=(0, dash), label=label)
