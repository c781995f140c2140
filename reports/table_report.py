"""A sheet: everything that a report prints of one view, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from reports.figures.plates import Plate, plate_markdown, plates_of
from reports.records import Record
from reports.tables.layout import View
from reports.tables.measured import tidy, to_csv, to_latex, to_markdown


@dataclass(frozen=True)
class Sheet:
    """A view, its table in long form, and its figures."""

    view: View
    frame: pd.DataFrame
    plates: list[Plate] = field(default_factory=list)

    @cached_property
    def markdown(self) -> str:
        """The table with its notes, and a line for each figure."""
        table = to_markdown(self.view, self.frame)
        lines = "".join(f"\n{plate_markdown(plate)}\n" for plate in self.plates)
        return table + lines

    def files(self, stem: str) -> dict[str, bytes]:
        """``<stem>.md .csv .tex`` and the figures' files by name."""
        texts = {
            f"{stem}.md": self.markdown,
            f"{stem}.csv": to_csv(self.frame),
            f"{stem}.tex": to_latex(self.view, self.frame),
        }
        found = {name: text.encode() for name, text in texts.items()}
        for plate in self.plates:
            found |= plate.files
        return found


def make_sheet(view: View, records: Mapping[str, Record], runs: Path, stem: str = "") -> Sheet:
    """Table and figures of a view; RecordError as in `reports.tables.measured.tidy`.

    ``stem`` is how its files are called, the view's name if empty.
    """
    frame = tidy(view, records)
    return Sheet(view, frame, plates_of(view, stem or view.name, records, runs))
