"""Write every table, figure and the page from records and tables: nothing is run or typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.claims.ledger import ledger
from reports.page import render_page
from reports.records import RecordError, load_all, write_atomically
from reports.table_report import make_table_report
from reports.tables.table_files import FOLDER, read, table_files

PAGE = "report.html"


@dataclass(frozen=True)
class Report:
    """The files written, the page last, and the Markdown of all tables."""

    paths: list[Path]
    markdown: str

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.paths[-1]


def write_report(
    runs: Path,
    out: Path,
    tables: Sequence[Path] | None = None,
    protocol: Mapping[str, float] | None = None,
) -> Report:
    """Write ``out/<table>.md .csv .tex`` and its figures for each table, and ``out/report.html``.

    ``tables`` are files, all of ``runs/tables`` by default. With ``protocol``, as
    `claims.ledger.ledger` takes it, the page has the paper's claims. RecordError, before anything
    is written, if a record or table cannot be read or a table cannot be made of them.
    """
    files = table_files(runs) if tables is None else list(tables)
    if not files:
        raise RecordError(f"{runs / FOLDER}: no table to report; run a table first")
    if len({file.stem for file in files}) < len(files):
        raise RecordError("two of the tables have the same file name; their reports would collide")
    records = load_all(runs)
    read_tables = [read(file) for file in files]
    reports = [
        make_table_report(table, records, runs, file.stem)
        for file, table in zip(files, read_tables, strict=True)
    ]
    written: dict[str, bytes] = {}
    for file, report in zip(files, reports, strict=True):
        for name, data in report.files(file.stem).items():
            if name in written or name == PAGE:
                raise RecordError(f"{file}: its {name} would overwrite another file of that name")
            written[name] = data
    claims = None if protocol is None else ledger(read_tables, records, protocol)
    written[PAGE] = render_page(reports, records, runs, claims).encode()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{out}: cannot be made ({error.strerror})") from None
    for name, data in written.items():
        write_atomically(out / name, data)
    markdown = "\n".join(report.markdown for report in reports)
    return Report([out / name for name in written], markdown)
