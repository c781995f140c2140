"""Figure 5: loss terms over the iterations, a panel per term and a curve per row of the table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.axes import legend_below, log_ticks, panels, wrap_label
from reports.figures.columns import read_columns
from reports.figures.style import SeriesStyle, series_styles
from reports.records import NotRunError, Record, RecordError, folder_of
from reports.tables.layout import FIGURE_FILES, FigureSpec, Table
from reports.tables.notes import seeds_text

FILE, STEP = FIGURE_FILES["loss_curves"], "iteration"
SMOOTH = 50  # the strong line is the mean over one part in so many of a run
MARKERS = 7  # on each strong line


def draw_loss_curves(
    figure: FigureSpec,
    table: Table,
    frame: pd.DataFrame,
    records: Mapping[str, Record],
    runs: Path,
) -> Figure:
    """Every iteration as a light line, the rolling mean as a strong one, of each row's first seed.

    RecordError as `read_columns`, and for a number that a log axis cannot show.
    """
    first = frame.drop_duplicates("row").set_index("row")["records"]
    losses = {
        row.label: _losses(figure, records[first[row.id][0]], runs) if first[row.id] else None
        for row in table.rows
    }
    labels = [wrap_label(label, 40) for label in losses]
    if all(found is None for found in losses.values()):
        raise NotRunError(f"not run: {', '.join(labels)}")
    drawn, axes = panels(list(figure.panels.values()), height=2.5)
    styles = series_styles(list(losses))
    for one, column in zip(axes, figure.panels, strict=True):
        for index, (found, style) in enumerate(zip(losses.values(), styles, strict=True)):
            if found is not None:
                _curve(one, found[STEP], found[column], style, index / len(styles))
        one.set(xlabel=STEP, yscale="log")
        one.margins(x=0.02)
        low, high = one.get_ylim()
        log_ticks(one.yaxis, (1, 2, 5) if high / low < 1000 else (1,))
    handles = [
        style.handle(label, found is not None)
        for label, style, found in zip(labels, styles, losses.values(), strict=True)
    ]
    seeds = sorted({seed for several in frame["seeds"] for seed in several[:1]})
    smooth = any(_window(len(found)) > 1 for found in losses.values() if found is not None)
    light = f"light: every iteration; strong: mean over {100 // SMOOTH} % of a run"
    about = [f"single runs, {seeds_text(seeds)}", *([light] if smooth else [])]
    legend_below(drawn, handles, "; ".join(about))
    return drawn


def _losses(figure: FigureSpec, record: Record, runs: Path) -> pd.DataFrame:
    losses = read_columns(record, FILE, runs, list(dict.fromkeys([STEP, *figure.panels])))
    for name in figure.panels:
        if (losses[name] <= 0).any():
            path = folder_of(runs, record) / FILE
            raise RecordError(f"{path}: {name}: {losses[name].min():g} has no place on a log axis")
    return losses


def _curve(
    axes: Axes,
    steps: pd.Series[float],
    values: pd.Series[float],
    style: SeriesStyle,
    start: float,
) -> None:
    """One series; ``start`` (0 to 1) keeps its markers away from those of the others."""
    window = _window(len(values))
    mean = values.rolling(window, center=True, min_periods=1).mean()
    if window > 1:
        axes.plot(steps, values, color=style.colour, alpha=0.3, linewidth=0.5)
    every = max(1, len(values) // MARKERS)
    axes.plot(steps, mean, markevery=(int(start * every), every), zorder=3, **style.plot())


def _window(count: int) -> int:
    return max(1, round(count / SMOOTH))
