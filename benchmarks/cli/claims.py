"""``claims``: every number that the paper published, beside what was measured of it here."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pandas as pd

from benchmarks.cli.console import log, print_json, print_result
from benchmarks.cli.options import RUNS, FolderOptions
from benchmarks.tables.paper_settings import paper_settings
from reports.claims.ledger import ledger
from reports.claims.markdown import claims_markdown
from reports.claims.orderings import orderings
from reports.records import load_all, write_atomically
from reports.table_report import reportable
from reports.tables.markup import csv_text
from reports.tables.table_files import FOLDER, table_files


@dataclass(frozen=True)
class Claims:
    """List every published number with what was measured of it, and whether the two agree."""

    paths: FolderOptions = field(default_factory=FolderOptions)
    json: bool = False
    """print the ledger as JSON (orderings: orderings.csv)"""

    def run(self) -> int:
        """Write ``claims.csv``, ``orderings.csv`` and ``claims.md``, and print the last.

        Where no table was run yet, nothing was; but a folder that was named has to be there. Exit
        code 1 if a table can't be made of its records.
        """
        if self.paths.runs_dir != RUNS:
            self.paths.require_runs()
        files = table_files(self.paths.runs_dir)
        if not files:
            log(f"{self.paths.runs_dir / FOLDER}: no table yet")
        records = load_all(self.paths.runs_dir, skip_damaged=True)
        tables, left_out = reportable(files, records)
        frame, orders = ledger(tables, records, paper_settings()), orderings(tables, records)
        markdown = claims_markdown(frame, orders)
        self._write("claims.csv", csv_text(frame))
        self._write("orderings.csv", csv_text(orders))
        self._write("claims.md", markdown)
        if self.json:
            print_json(_plain(frame))
        else:
            print_result(markdown)
        for line in left_out:
            log(f"not among the claims: {line}")
        log(f"ledger: {self.paths.out() / 'claims.csv'}")
        return 1 if left_out else 0

    def _write(self, name: str, text: str) -> None:
        path: Path = self.paths.out() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())


def _plain(frame: pd.DataFrame) -> object:
    """The rows as JSON has them, with null for what isn't there."""
    return msgspec.json.decode(frame.to_json(orient="records"))
