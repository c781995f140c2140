"""``docs/results.md`` from kept records: the sentences are written by hand, every number is not.

The template names numbers by folder, view, row and column; one that isn't there is an error.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from reports.kept import RUNS
from reports.records import Record, RecordError, load_all
from reports.seed_statistics import compare_by_seed
from reports.table_report import Sheet, make_sheet
from reports.tables.cost_text import cost_table
from reports.tables.export import number, places
from reports.tables.layout import read

KEPT = Path(__file__).parent / "results"
TEMPLATE = "results.md.j2"


class Kept:
    """One folder of kept results, as the template sees it."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / RUNS
        self.records: dict[str, Record] = load_all(self.runs)
        self._sheets: dict[str, Sheet] = {}

    def sheet(self, view: str) -> Sheet:
        """Everything printed of a view."""
        if view not in self._sheets:
            path = self.runs / "views" / f"{view}.json"
            self._sheets[view] = make_sheet(read(path), self.records, self.runs, view)
        return self._sheets[view]

    def table(self, view: str) -> str:
        """The table without its notes."""
        return self.sheet(view).markdown.split("\n\n- ")[0].partition("\n\n")[2].strip()

    def cost(self, view: str) -> str:
        """The table of what its methods cost, without its notes. RecordError if none was run."""
        if not (costs := self.sheet(view).costs):
            raise RecordError(f"{self.runs}: {view} has no images whose cost is known")
        return cost_table(costs)

    def line(self, view: str, row: str, column: str) -> dict[str, Any]:
        """One number with its seeds."""
        frame = self.sheet(view).frame
        found = frame[(frame["row"] == row) & (frame["column"] == column)]
        if len(found) != 1 or not found.iloc[0]["n"]:
            raise RecordError(f"{self.runs}: {view} has no number {row}, {column}")
        return dict(found.iloc[0])

    def value(self, view: str, row: str, column: str) -> str:
        """The mean, with its standard deviation where there are several seeds."""
        line = self.line(view, row, column)
        mean, sd = line["mean"], line["sd"]
        decimals = min(places(mean), 1) if abs(mean) >= 10 else places(mean)
        text = number(mean, decimals)
        return f"{text} ± {number(sd, decimals)}" if line["n"] > 1 else text

    def difference(self, view: str, row: str, one: str, other: str) -> str:
        """How much more the first column has than the other, by seed, with the p-value."""
        return self._between(view, (row, one), (row, other))

    def row_difference(self, view: str, column: str, one: str, other: str) -> str:
        """The same of two rows in one column."""
        return self._between(view, (one, column), (other, column))

    def _between(self, view: str, one: tuple[str, str], other: tuple[str, str]) -> str:
        lines = [self.line(view, *place) for place in (one, other)]
        by_seed = [dict(zip(line["seeds"], line["values"], strict=True)) for line in lines]
        found = compare_by_seed(*by_seed)
        if found.difference is None:
            raise RecordError(f"{self.runs}: {view}: {one} and {other} share no seed")
        decimals = 2 if max(abs(line["mean"]) for line in lines) < 2 else 1
        text = f"{found.difference:+.{decimals}f}"
        if found.p_value is not None:
            text += f" (paired over {found.n} seeds, p = {found.p_value:.1g})"
        return text

    def metric(self, view: str, row: str, column: str, name: str, of: str = "") -> float:
        """Another metric of the first seed's record behind a number, or of its input ``of``."""
        record = self.records[self.line(view, row, column)["records"][0]]
        if of:
            record = self.records[record.inputs[of]]
        if name not in record.metrics:
            raise RecordError(f"{self.runs}: {record.label} has no {name}")
        return float(record.metrics[name])  # type: ignore[arg-type]

    @property
    def hours(self) -> float:
        """What all cells took, one after the other."""
        return sum(record.cost.seconds for record in self.records.values()) / 3600

    @property
    def made_with(self) -> str:
        """Machine, threads and versions of all records."""
        found = {
            f"{r.provenance.cpu or r.provenance.device}, threads a cell: {r.provenance.threads}, "
            f"PyTorch {r.provenance.versions['torch']}"
            for r in self.records.values()
        }
        return "; ".join(sorted(found))


def render_results(template: Path, kept: Path = KEPT) -> str:
    """The page as Markdown. RecordError for a number that there is no record of."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    folder = cache(lambda name: Kept(kept / name))
    page = environment.from_string(template.read_text("utf-8"))
    return page.render(kept=folder)
