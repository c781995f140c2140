"""Plates: a view's figures as drawn, each with the name of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.figures.drawn import Drawn, Missing
from reports.figures.spec import Figure
from reports.records import Record, RecordError
from reports.tables.layout import View
from reports.tables.markup import escape_markdown

FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Plate:
    """A figure; its files are ``<stem>.png .svg .pdf``."""

    figure: Figure
    stem: str
    drawn: Drawn | Missing

    @property
    def files(self) -> dict[str, bytes]:
        """What is to be written, by file name; nothing for a figure that could not be drawn."""
        if isinstance(self.drawn, Missing):
            return {}
        return {f"{self.stem}.{kind}": getattr(self.drawn, kind) for kind in FORMATS}


def plates_of(view: View, stem: str, records: Mapping[str, Record], runs: Path) -> list[Plate]:
    """Draw every figure of a view; ``stem`` is how the view's own files are called.

    A figure whose files are missing or damaged is not drawn and says so: its table still stands.
    """
    if not view.figures:
        return []
    from reports.figures.draw import draw  # takes seconds to import

    plates = []
    for figure in view.figures:
        try:
            drawn = draw(figure, records, runs)
        except RecordError as error:
            drawn = Missing(f"not drawn: {str(error).replace(f'{runs}/', '')}")
        # Figure 6 of figure6-demo-digits is figure6-demo-digits.png.
        own = figure.name == view.table
        plates.append(Plate(figure, stem if own else f"{stem}-{figure.name}", drawn))
    return plates


def plate_markdown(plate: Plate) -> str:
    """One line: the picture with its title and files, or why there is none."""
    title, caption = escape_markdown(plate.figure.title), escape_markdown(plate.figure.caption)
    if isinstance(plate.drawn, Missing):
        return f"- Figure: {title}: {escape_markdown(plate.drawn.reason)}."
    alt = title.replace("[", "\\[").replace("]", "\\]")
    others = ", ".join(f"{plate.stem}.{kind}" for kind in FORMATS[1:])
    return f"![{alt}]({plate.stem}.png) {caption} ({others})"
