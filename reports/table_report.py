"""Everything that a report prints of one table, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from reports.figures.draw import RenderedFigure, render_figures
from reports.records import Record, RecordError
from reports.tables.cost import costs_of
from reports.tables.cost_text import cost_csv, cost_latex, cost_markdown
from reports.tables.export import to_csv, to_latex, to_markdown
from reports.tables.layout import Table
from reports.tables.measured import Line, lines_of, measured_frame
from reports.tables.method_cost import MethodCost
from reports.tables.table_files import read


@dataclass(frozen=True)
class TableReport:
    """A table, its numbers in long form, its figures, and what its methods cost."""

    table: Table
    frame: pd.DataFrame
    costs: list[MethodCost]
    draw: Callable[[], list[RenderedFigure]]

    @cached_property
    def figures(self) -> list[RenderedFigure]:
        """Drawn when they are first asked for: that takes longer than all the rest."""
        return self.draw()

    @cached_property
    def lines(self) -> dict[tuple[str, str], Line]:
        """The numbers by the ids of their row and column."""
        return {(line["row"], line["column"]): line for line in lines_of(self.frame)}

    @cached_property
    def markdown(self) -> str:
        """The table with its notes, a line for each figure, and the table of costs."""
        lines = "".join(f"\n{figure.markdown}\n" for figure in self.figures)
        costs = cost_markdown(self.costs)
        return to_markdown(self.table, self.frame) + lines + (f"\n{costs}" if costs else "")

    def files(self, stem: str) -> dict[str, bytes]:
        """``<stem>.md .csv .tex``, ``<stem>-cost.csv`` and the figures' files by name."""
        costs = cost_latex(self.table, self.costs)
        texts = {
            f"{stem}.md": self.markdown,
            f"{stem}.csv": to_csv(self.frame),
            f"{stem}.tex": to_latex(self.table, self.frame) + (f"\n{costs}" if costs else ""),
        }
        if self.costs:
            texts[f"{stem}-cost.csv"] = cost_csv(self.costs)
        found = {name: text.encode() for name, text in texts.items()}
        for figure in self.figures:
            found |= figure.files
        return found


def reportable(
    files: Sequence[Path], records: Mapping[str, Record]
) -> tuple[list[Table], list[str]]:
    """The tables that numbers can be made of, and of each other one why not, on one line."""
    tables, left_out = [], []
    for file in files:
        try:
            table = read(file)
            measured_frame(table, records)
        except RecordError as error:
            left_out.append(str(error))
        else:
            tables.append(table)
    return tables, left_out


def make_table_report(
    table: Table, records: Mapping[str, Record], runs: Path, stem: str = ""
) -> TableReport:
    """Numbers, figures and costs of a table; RecordError as in `measured.measured_frame`.

    ``stem`` is how its files are called, the table's name if empty.
    """
    frame = measured_frame(table, records)
    draw = partial(render_figures, table, frame, records, runs, stem or table.name)
    return TableReport(table, frame, costs_of(table, records), draw)
