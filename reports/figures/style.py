"""How figures look: a method has one colour, marker and dash in all of them.

Colours stay apart for normal, red-blind and green-blind eyes (Machado et al. 2009, smallest
distance 20 in CIELAB), and those of Figure 4 in grey too; markers and dashes tell the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
from matplotlib.lines import Line2D

DPI = 200  # of the PNG, and of what the SVG and PDF hold as pixels
MUTED = "#666666"
DASHES = ((5, 2), (2, 2), (8, 2, 2, 2))  # of reference lines and levels


@dataclass(frozen=True)
class SeriesStyle:
    """Colour, marker and dash (lengths on and off, in line widths; empty is solid) of a series."""

    colour: str
    marker: str
    dash: tuple[float, ...]

    def plot(self, hollow: bool = False) -> dict[str, Any]:
        """What matplotlib takes; ``hollow`` is a dotted line with white markers."""
        return {
            "color": self.colour,
            "marker": self.marker,
            "linestyle": (0, (1, 1.8)) if hollow else (0, self.dash) if self.dash else "-",
            "markerfacecolor": "white" if hollow else self.colour,
            "markeredgecolor": self.colour if hollow else "white",
            "markeredgewidth": 1.0 if hollow else 0.5,
        }

    def handle(self, label: str, drawn: bool = True, hollow: bool = False) -> Line2D:
        """The entry of a legend; of a series that was not run, one that says so."""
        if not drawn:
            return Line2D([], [], color=MUTED, linestyle="none", label=f"{label} (not run)")
        return Line2D([], [], label=label, **self.plot(hollow))


#: In the paper's order. Real green, NI orange, DI purple as in its Figure 4.
STYLES = {
    "dafl": SeriesStyle("#222222", "s", (2, 1)),
    "dfad": SeriesStyle("#56b4e9", "P", (6, 1.5, 1, 1.5, 1, 1.5)),
    "di": SeriesStyle("#6b1d7a", "^", (4, 1.5)),
    "adi": SeriesStyle("#661100", "v", (4, 1.5, 1, 1.5)),
    "ni": SeriesStyle("#f0a02c", "o", ()),
    "ni+adi": SeriesStyle("#c44e00", "D", (8, 1.5)),
    "real": SeriesStyle("#0f9b74", "X", (8, 1.5, 3, 1.5)),
    "wgan-gp": SeriesStyle("#b8b8b8", "*", (1, 1)),
}
ALIASES = {
    **{"ours": "ni", "naturalinversion": "ni", "deepinversion": "di", "original": "real"},
    **{"ni_adi": "ni+adi", "wgan_gp": "wgan-gp"},
}
_MORE = ("#0173b2", "#cc6677", "#332288", "#ca9161", "#44aa99", "#999933")
_MORE_MARKERS = ("p", "<", "h", ">", "8", "d", "H")
_MORE_DASHES: tuple[tuple[float, ...], ...] = (
    (5, 1, 2, 1),
    (3, 2),
    (6, 1, 1, 1),
    (3, 1, 1, 1, 1, 1),
)

_RC = {
    **{"font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 9, "axes.labelsize": 8},
    **{"xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8, "legend.frameon": False},
    **{"axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True},
    **{"legend.title_fontsize": 7.5, "lines.markersize": 5, "lines.linewidth": 1.4},
    **{"svg.fonttype": "none", "svg.hashsalt": "naturalinversion", "pdf.fonttype": 42},
    "text.parse_math": False,  # labels are names, never formulas
}


@contextmanager
def style_context() -> Iterator[None]:
    """Our settings over matplotlib's own defaults, whatever the user's are; restored after."""
    with matplotlib.style.context(["default", _RC]):
        yield


def series_styles(labels: Sequence[str]) -> list[SeriesStyle]:
    """A style for each label, all unlike: the method's own, or for others one its name picks.

    What follows " (" does not count: "NI (ours)" has the style of "NI".
    """
    chosen: list[SeriesStyle] = []
    for label in labels:
        name = label.split(" (")[0].strip().casefold()
        own = STYLES.get(ALIASES.get(name, name))
        if own is None or own in chosen:
            own = min(_others(name), key=lambda style: _alike(style, chosen))
        chosen.append(own)
    return chosen


def _alike(style: SeriesStyle, chosen: Sequence[SeriesStyle]) -> tuple[bool, int, int]:
    """Sorts styles that are free first, then those of rarer colours and markers."""
    colours = sum(style.colour == other.colour for other in chosen)
    return style in chosen, colours, sum(style.marker == other.marker for other in chosen)


def _others(name: str) -> Iterator[SeriesStyle]:
    """Further styles, beginning where ``name`` says: all colours once, then with other markers."""
    start = hashlib.sha256(name.encode()).digest()[0]
    for index in range(start, start + len(_MORE) * len(_MORE_MARKERS)):
        yield SeriesStyle(
            _MORE[index % len(_MORE)],
            _MORE_MARKERS[index % len(_MORE_MARKERS)],
            _MORE_DASHES[index % len(_MORE_DASHES)],
        )
