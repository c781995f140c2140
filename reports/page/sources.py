"""Which records a figure is made of."""

from __future__ import annotations

from reports.figures.spec import Curves, Figure, Grids, Lines, Scatter, Tradeoff


def sources_of(figure: Figure) -> list[tuple[str, str]]:
    """Label and record key of every part, in order, each once; without what is not planned."""
    match figure:
        case Grids():
            found = [(row.label, row.record) for row in figure.rows]
        case Curves():
            found = [(series.label, series.record) for series in figure.series]
        case Scatter():
            found = [(figure.title, figure.record)]
        case Lines():
            found = [
                (f"{series.label}, {figure.x_label} {x:g}", key)
                for series in figure.series
                for x, keys in zip(figure.x, series.records, strict=True)
                for key in keys
            ]
            found += [(level.label, key) for level in figure.levels for key in level.records]
        case Tradeoff():
            found = [
                (f"{panel.title}: {course.label}", key)
                for panel in figure.panels
                for course in panel.courses
                for values in course.y
                for key in values.records
            ]
    return [(label, key) for label, key in dict.fromkeys(found) if key]
