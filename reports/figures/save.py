"""A matplotlib figure as PNG, SVG and PDF whose bytes depend on nothing but the figure."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from reports.figures.drawn import Drawn
from reports.figures.style import DPI

CREATOR = "naturalinversion reports"


def save(figure: Figure, title: str) -> Drawn:
    """The figure in three formats, ``title`` in their metadata; no dates, no versions."""
    # svg.hashsalt and the font types are rcParams: see `style.drawing`, which must be active.
    return Drawn(
        png=_bytes(figure, "png", {"Title": title, "Software": None}),
        svg=_bytes(figure, "svg", {"Title": title, "Creator": CREATOR, "Date": None}),
        pdf=_bytes(
            figure,
            "pdf",
            {"Title": title, "Creator": CREATOR, "Producer": None, "CreationDate": None},
        ),
    )


def _bytes(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=DPI, metadata=metadata)
    return file.getvalue()
