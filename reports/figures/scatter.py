"""Figure 4: an embedding of real and synthetic images, a panel per stage of the classifier."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.axes import legend_below, panels, plain
from reports.figures.columns import read_columns
from reports.figures.drawn import Missing
from reports.figures.spec import Scatter
from reports.figures.style import looks
from reports.records import Record

SEED = 0


def draw_scatter(figure: Scatter, records: Mapping[str, Record], runs: Path) -> Figure | Missing:
    """The points of every set, as many of each, in an order that hides none behind another.

    RecordError as `read_columns`.
    """
    record = records.get(figure.record)
    if record is None:
        return Missing("not run")
    points = read_columns(record, figure.file, runs, ["x", "y"], ["stage", "set"])
    stages, sets = (list(dict.fromkeys(points[name])) for name in ("stage", "set"))
    count = int(points.groupby(["stage", "set"]).size().min())
    styles = dict(zip(sets, looks(sets), strict=True))
    drawn, axes = panels(stages, height=3.4 if len(stages) in (1, 2, 4) else 2.3)
    for one, stage in zip(axes, stages, strict=True):
        chosen = points[points["stage"] == stage].groupby("set").sample(count, random_state=SEED)
        sns.scatterplot(
            data=chosen.sample(frac=1, random_state=SEED),
            x="x",
            y="y",
            hue="set",
            style="set",
            palette={name: look.colour for name, look in styles.items()},
            markers={name: look.marker for name, look in styles.items()},
            s=_area(count),
            alpha=_alpha(count),
            linewidth=0,
            legend=False,
            rasterized=True,  # 30 000 marks would make an SVG that no browser likes
            ax=one,
        )
        one.set(xlabel="", ylabel="", xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        sns.despine(ax=one, top=False, right=False)
    handles = [
        Line2D([], [], linestyle="none", marker=look.marker, color=look.colour, label=label)
        for label, look in zip(
            [plain(figure.names.get(name, name)) for name in sets], styles.values(), strict=True
        )
    ]
    legend_below(drawn, handles, f"{count:,} images of each", handle=1)
    return drawn


def _area(count: int) -> float:
    """Area of a mark in square points: 20 for a hundred points, 3 for ten thousand."""
    return min(20.0, max(3.0, 20 * math.pow(100 / count, 0.41)))


def _alpha(count: int) -> float:
    return min(0.8, max(0.35, 0.8 * math.pow(100 / count, 0.18)))
