"""What comes of a figure: its files' bytes, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Drawn:
    """One figure in three formats, the same bytes whenever it is drawn of the same records."""

    png: bytes
    svg: bytes
    pdf: bytes


@dataclass(frozen=True)
class Missing:
    """Nothing of the figure was run yet; ``reason`` is one line."""

    reason: str
