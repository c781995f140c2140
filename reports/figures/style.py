"""How figures look: a method has one colour, marker and dash in all of them.

Colours stay apart for normal, red-blind and green-blind eyes (Machado et al. 2009, smallest
distance 20 in CIELAB), and those of Figure 4 in grey too; markers and dashes tell the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import matplotlib.style

DPI = 200  # of the PNG, and of what the SVG and PDF hold as pixels
MUTED = "#666666"


@dataclass(frozen=True)
class Look:
    """Colour, marker and dash (lengths on and off, in line widths; empty is solid) of a label."""

    colour: str
    marker: str
    dash: tuple[float, ...]

    @property
    def line(self) -> Literal["-"] | tuple[float, tuple[float, ...]]:
        """The dash as matplotlib takes it."""
        return (0, self.dash) if self.dash else "-"


#: In the paper's order. Real green, NI orange, DI purple as in its Figure 4.
LOOKS = {
    "dafl": Look("#222222", "s", (2, 1)),
    "dfad": Look("#56b4e9", "P", (6, 1.5, 1, 1.5, 1, 1.5)),
    "di": Look("#6b1d7a", "^", (4, 1.5)),
    "adi": Look("#661100", "v", (4, 1.5, 1, 1.5)),
    "ni": Look("#f0a02c", "o", ()),
    "ni+adi": Look("#c44e00", "D", (8, 1.5)),
    "real": Look("#0f9b74", "X", (8, 1.5, 3, 1.5)),
    "wgan-gp": Look("#b8b8b8", "*", (1, 1)),
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
def drawing() -> Iterator[None]:
    """Our settings over matplotlib's own defaults, whatever the user's are; restored after."""
    with matplotlib.style.context(["default", _RC]):
        yield


def looks(labels: Sequence[str]) -> list[Look]:
    """A look for each label, all unlike: the method's own, or for others one that its name picks.

    What follows " (" does not count: "NI (ours)" looks like "NI".
    """
    chosen: list[Look] = []
    for label in labels:
        name = label.split(" (")[0].strip().casefold()
        own = LOOKS.get(ALIASES.get(name, name))
        if own is None or own in chosen:
            others = _others(hashlib.sha256(name.encode()).digest()[0])
            own = min(others, key=lambda look: _alike(look, chosen))
        chosen.append(own)
    return chosen


def _alike(look: Look, chosen: Sequence[Look]) -> tuple[bool, int, int]:
    """Sorts looks that are free first, then those of rarer colours and markers."""
    colours = sum(look.colour == other.colour for other in chosen)
    return look in chosen, colours, sum(look.marker == other.marker for other in chosen)


def _others(start: int) -> list[Look]:
    """Further looks from ``start`` on: all colours once, then again with other markers."""
    count = len(_MORE) * len(_MORE_MARKERS)
    return [
        Look(
            _MORE[index % len(_MORE)],
            _MORE_MARKERS[index % len(_MORE_MARKERS)],
            _MORE_DASHES[index % len(_MORE_DASHES)],
        )
        for index in range(start, start + count)
    ]
