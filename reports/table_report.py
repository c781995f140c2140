"""A sheet: everything that a report prints of one view, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from reports.figures.plates import Plate, plate_markdown, plates_of
from reports.records import Record
from reports.tables.cost import costs_of
from reports.tables.cost_text import cost_csv, cost_latex, cost_markdown
from reports.tables.layout import View
from reports.tables.measured import tidy, to_csv, to_latex, to_markdown
from reports.tables.method_cost import MethodCost


@dataclass(frozen=True)
class Sheet:
    """A view, its table in long form, its figures, and what its methods cost."""

    view: View
    frame: pd.DataFrame
    plates: list[Plate] = field(default_factory=list)
    costs: list[MethodCost] = field(default_factory=list)

    @cached_property
    def markdown(self) -> str:
        """The table with its notes, a line for each figure, and the table of costs."""
        table = to_markdown(self.view, self.frame)
        lines = "".join(f"\n{plate_markdown(plate)}\n" for plate in self.plates)
        costs = cost_markdown(self.costs)
        return table + lines + (f"\n{costs}" if costs else "")

    def files(self, stem: str) -> dict[str, bytes]:
        """``<stem>.md .csv .tex``, ``<stem>-cost.csv`` and the figures' files by name."""
        costs = cost_latex(self.view, self.costs)
        texts = {
            f"{stem}.md": self.markdown,
            f"{stem}.csv": to_csv(self.frame),
            f"{stem}.tex": to_latex(self.view, self.frame) + (f"\n{costs}" if costs else ""),
        }
        if self.costs:
            texts[f"{stem}-cost.csv"] = cost_csv(self.costs)
        found = {name: text.encode() for name, text in texts.items()}
        for plate in self.plates:
            found |= plate.files
        return found


def make_sheet(view: View, records: Mapping[str, Record], runs: Path, stem: str = "") -> Sheet:
    """Table, figures and costs of a view; RecordError as in `reports.tables.measured.tidy`.

    ``stem`` is how its files are called, the view's name if empty.
    """
    frame = tidy(view, records)
    plates = plates_of(view, stem or view.name, records, runs)
    return Sheet(view, frame, plates, costs_of(view, records))
