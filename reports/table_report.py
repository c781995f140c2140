"""Everything that a report prints of one table, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from reports.figures.draw import RenderedFigure, render_figures
from reports.records import Record
from reports.tables.export import to_csv, to_latex, to_markdown
from reports.tables.layout import Table
from reports.tables.measured import measured_frame


@dataclass(frozen=True)
class TableReport:
    """A table, its numbers in long form, and its figures."""

    table: Table
    frame: pd.DataFrame
    figures: list[RenderedFigure] = field(default_factory=list)

    @cached_property
    def markdown(self) -> str:
        """The table with its notes, and a line for each figure."""
        lines = "".join(f"\n{figure.markdown}\n" for figure in self.figures)
        return to_markdown(self.table, self.frame) + lines

    def files(self, stem: str) -> dict[str, bytes]:
        """``<stem>.md .csv .tex`` and the figures' files by name."""
        texts = {
            f"{stem}.md": self.markdown,
            f"{stem}.csv": to_csv(self.frame),
            f"{stem}.tex": to_latex(self.table, self.frame),
        }
        found = {name: text.encode() for name, text in texts.items()}
        for figure in self.figures:
            found |= figure.files
        return found


def make_table_report(
    table: Table, records: Mapping[str, Record], runs: Path, stem: str = ""
) -> TableReport:
    """Numbers and figures of a table; RecordError as in `reports.tables.measured.measured_frame`.

    ``stem`` is how its files are called, the table's name if empty.
    """
    frame = measured_frame(table, records)
    return TableReport(
        table, frame, render_figures(table, frame, records, runs, stem or table.name)
    )
