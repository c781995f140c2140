"""Panels, legends and text that fits: what the figures share of their layout."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Sequence

import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

WIDTH = 7.0  # inches, the two columns of the paper
HANDLE = 3.4  # length of a legend's lines, in letters: enough for every dash


def panels(titles: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """A figure of titled panels, up to three in a row, each ``height`` inches high."""
    across = {1: 1, 2: 2, 4: 2}.get(len(titles), 3)
    down = -(-len(titles) // across)
    width = WIDTH if across > 1 else WIDTH * 0.7
    figure = Figure(figsize=(width, height * down), layout="constrained")
    found: list[Axes] = []
    for place, title in enumerate(titles, start=1):
        axes = figure.add_subplot(down, across, place)
        axes.set_title(wrap_label(title, round(11 * width / across)), loc="left")
        sns.despine(ax=axes)
        found.append(axes)
    return figure, found


def legend_below(
    figure: Figure, handles: Sequence[Artist], title: str = "", handle: float = HANDLE
) -> None:
    """A legend below the panels, which keep their height, in as many columns as have room."""
    widest = max(text_width(str(one.get_label()), 8) for one in handles) + handle / 9 + 0.25
    rows = math.ceil(len(handles) / max(1, int(figure.get_figwidth() / widest)))
    lines = max(1 + str(one.get_label()).count("\n") for one in handles)
    figure.set_figheight(figure.get_figheight() + 0.4 + rows * (0.06 + 0.14 * lines))
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=math.ceil(len(handles) / rows),
        title=title or None,
        handlelength=handle,
        borderaxespad=0,
    )


def about_runs(counts: Collection[int], spread: str) -> str:
    """What a point is, for the legend; ``counts`` are the numbers of seeds met, ``spread`` is how
    their range is drawn, empty where it is not.
    """
    if set(counts) == {1}:
        return "single runs"
    least, most = min(counts), max(counts)
    runs = f"{most}" if least == most else f"{least} to {most}"
    return f"means of {runs} runs" + (f", {spread}: least to greatest" if spread else "")


def log_ticks(axis: Axis, subs: Sequence[float]) -> None:
    """Ticks at ``subs`` times the powers of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def wrap_label(label: str, width: int = 60) -> str:
    """A label without control characters, in lines of at most ``width`` letters."""
    text = "".join(letter if letter.isprintable() else " " for letter in label)
    return textwrap.fill(" ".join(text.split()), width)


def text_width(text: str, size: float) -> float:
    """Width in inches of the widest line at ``size`` points."""
    lines = [line for line in text.split("\n") if line.strip()]
    return max((TextPath((0, 0), line, size).get_extents().width / 72 for line in lines), default=0)
