"""Figure 4: t-SNE of features of real and synthetic images, a panel per stage of the classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.axes import legend_below, panels, wrap_label
from reports.figures.columns import read_columns
from reports.figures.style import series_styles
from reports.records import NotRunError, Record
from reports.tables.layout import FIGURE_FILES
from reports.tables.notes import seeds_text

FILE = FIGURE_FILES["scatter"]  # columns stage, set, x, y
SEED = 0


def draw_scatter(frame: pd.DataFrame, records: Mapping[str, Record], runs: Path) -> Figure:
    """The points of every set of the first run, as many of each, in an order that hides none behind
    another.

    RecordError as `read_columns`.
    """
    runs_by_row = zip(frame["seeds"], frame["records"], strict=True)
    found = [run for row in runs_by_row for run in zip(*row, strict=True)]
    if not found:
        raise NotRunError("not run")
    seed, key = found[0]
    points = read_columns(records[key], FILE, runs, ["x", "y"], ["stage", "set"])
    stages, sets = (list(dict.fromkeys(points[name])) for name in ("stage", "set"))
    count = int(points.groupby(["stage", "set"]).size().min())
    styles = dict(zip(sets, series_styles(sets), strict=True))
    drawn, axes = panels(stages, height=3.4 if len(stages) in (1, 2, 4) else 2.3)
    for one, stage in zip(axes, stages, strict=True):
        chosen = points[points["stage"] == stage].groupby("set").sample(count, random_state=SEED)
        sns.scatterplot(
            data=chosen.sample(frac=1, random_state=SEED),
            x="x",
            y="y",
            hue="set",
            style="set",
            palette={name: style.colour for name, style in styles.items()},
            markers={name: style.marker for name, style in styles.items()},
            # Smaller and fainter the more there are: 20 square points for a hundred, 3 for 10,000.
            s=min(20.0, max(3.0, 20 * (100 / count) ** 0.41)),
            alpha=min(0.8, max(0.35, 0.8 * (100 / count) ** 0.18)),
            linewidth=0,
            legend=False,
            rasterized=True,  # 30 000 marks would make an SVG that no browser likes
            ax=one,
        )
        one.set(xlabel="", ylabel="", xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        sns.despine(ax=one, top=False, right=False)
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=style.marker,
            color=style.colour,
            label=wrap_label(name),
        )
        for name, style in styles.items()
    ]
    legend_below(drawn, handles, f"{count:,} images of each, {seeds_text([seed])}", handle=1)
    return drawn
