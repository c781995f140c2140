"""Draw a figure from records and their artefacts: nothing is run, nothing is typed in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reports.figures.axes import plain
from reports.figures.drawn import Drawn, Missing
from reports.figures.image_grid import draw_grids
from reports.figures.line_plot import draw_lines
from reports.figures.loss_curves import draw_curves
from reports.figures.save import save
from reports.figures.scatter import draw_scatter
from reports.figures.spec import Curves, Figure, Grids, Lines, Scatter, Tradeoff, faults
from reports.figures.style import drawing
from reports.figures.tradeoff import draw_tradeoff
from reports.records import Record, RecordError


def draw(figure: Figure, records: Mapping[str, Record], runs: Path) -> Drawn | Missing:
    """The figure's files, the same bytes every time, or Missing if nothing of it was run.

    Its title goes into the files' metadata; title and caption are printed by whoever shows it.
    RecordError, one line, for a figure that makes no sense and for an artefact that is missing,
    damaged, or not what its name says.
    """
    for fault in faults(figure):
        raise RecordError(f"{figure.name}: {fault}")
    with drawing():
        match figure:
            case Grids():
                drawn = draw_grids(figure, records, runs)
            case Curves():
                drawn = draw_curves(figure, records, runs)
            case Scatter():
                drawn = draw_scatter(figure, records, runs)
            case Lines():
                drawn = draw_lines(figure, records)
            case Tradeoff():
                drawn = draw_tradeoff(figure, records)
        return drawn if isinstance(drawn, Missing) else save(drawn, plain(figure.title, 10_000))
