"""Draw a table's figures from its numbers, its records' files and its pictures; nothing is run."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pandas as pd

from reports.records import NotRunError, Record, RecordError
from reports.tables.layout import FigureSpec, Table
from reports.tables.markup import escape_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CREATOR = "naturalinversion reports"
#: The formats with their metadata, which have no dates and no versions: equal figures, equal bytes.
METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Creator": CREATOR, "Date": None},
    "pdf": {"Creator": CREATOR, "Producer": None, "CreationDate": None},
}


@dataclass(frozen=True)
class RenderedFigure:
    """A figure's files by name, ``<stem>.png .svg .pdf``; or none and the reason, in one line."""

    spec: FigureSpec
    stem: str
    files: dict[str, bytes] = field(default_factory=dict)
    reason: str = ""

    @property
    def png(self) -> bytes:
        """The picture, if it was drawn."""
        return self.files.get(f"{self.stem}.png", b"")

    @property
    def markdown(self) -> str:
        """One line: the picture with its title and files, or why there is none."""
        title = escape_markdown(self.spec.title)
        if not self.files:
            return f"- Figure: {title}: {escape_markdown(self.reason)}."
        alt = title.replace("]", "\\]")
        picture, *others = self.files
        caption = escape_markdown(self.spec.caption)
        return f"![{alt}]({quote(picture)}) {caption} ({', '.join(others)})"


def render_figures(
    table: Table, frame: pd.DataFrame, records: Mapping[str, Record], runs: Path, stem: str
) -> list[RenderedFigure]:
    """Every figure of a table, the same bytes every time; ``stem`` is how its files are called.

    A figure whose files are missing or damaged is not drawn and says so: its table still stands.
    """
    rendered = []
    for figure in table.figures:
        own = f"{stem}-{figure.name}" if figure.name else stem
        try:
            files = _render(figure, table, frame, records, runs)
            named = {f"{own}.{kind}": data for kind, data in files.items()}
            rendered.append(RenderedFigure(figure, own, named))
        except NotRunError as error:
            rendered.append(RenderedFigure(figure, own, reason=str(error)))
        except RecordError as error:
            reason = f"not drawn: {str(error).replace(f'{runs}/', '')}"
            rendered.append(RenderedFigure(figure, own, reason=reason))
    return rendered


def draw(
    figure: FigureSpec,
    table: Table,
    frame: pd.DataFrame,
    records: Mapping[str, Record],
    runs: Path,
) -> Figure:
    """The figure as matplotlib has it, inside `style_context`.

    NotRunError if nothing of it was run; RecordError, one line, for a file that is missing, damaged
    or not what its name says.
    """
    # Plotting takes seconds to import, and most commands draw nothing.
    from reports.figures.budget import draw_budget
    from reports.figures.image_grid import draw_image_grid
    from reports.figures.line_plot import draw_line_plot
    from reports.figures.loss_curves import draw_loss_curves
    from reports.figures.scatter import draw_scatter

    match figure.type:
        case "image_grid":
            return draw_image_grid(figure, table, records, runs)
        case "loss_curves":
            return draw_loss_curves(figure, table, frame, records, runs)
        case "scatter":
            return draw_scatter(frame, records, runs)
        case "lines" | "tradeoff":
            return draw_line_plot(figure, table, frame)
        case "budget":
            return draw_budget(figure, table, frame, records)


def _render(
    figure: FigureSpec,
    table: Table,
    frame: pd.DataFrame,
    records: Mapping[str, Record],
    runs: Path,
) -> dict[str, bytes]:
    """The bytes of the three formats. Title and caption are printed by whoever shows the figure."""
    from reports.figures.axes import wrap_label
    from reports.figures.style import DPI, style_context

    files = {}
    title = {"Title": wrap_label(figure.title, 10_000)}
    with style_context():
        drawn = draw(figure, table, frame, records, runs)
        for kind, metadata in METADATA.items():
            file = io.BytesIO()
            drawn.savefig(file, format=kind, dpi=DPI, metadata=title | metadata)
            files[kind] = file.getvalue()
    return files
