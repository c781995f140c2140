"""Write every table, figure and the page from records and tables: nothing is run or typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reports.claims.ledger import ledger
from reports.page import render_page
from reports.records import RecordError, load_all, write_atomically
from reports.table_report import TableReport, make_table_report
from reports.tables.table_files import read, tables_to_report

PAGE = "report.html"


@dataclass(frozen=True)
class Report:
    """The files written, the page last, and the Markdown of the tables asked for.

    ``left_out`` says of tables that were to stand beside them why they can't be shown.
    """

    paths: list[Path]
    markdown: str
    left_out: list[str] = field(default_factory=list)

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.paths[-1]


def write_report(
    runs: Path,
    out: Path,
    tables: Sequence[Path] | None = None,
    protocol: Mapping[str, float] | None = None,
    others: Sequence[Path] = (),
) -> Report:
    """Write ``out/<table>.md .csv .tex`` and its figures for each table, and ``out/report.html``.

    ``tables`` are files; ``others`` stand on the page and in ``out`` as well, where they can be
    made. Without ``tables`` those are all of ``runs/tables``, of which one at least must be made.
    With ``protocol``, as `claims.ledger.ledger` takes it, the page has the paper's claims. A
    damaged record counts as not run. RecordError, before anything is written, if a record is of
    another version, or one of ``tables`` cannot be read or made of the records.
    """
    files = [] if tables is None else list(tables)
    others = tables_to_report(runs) if tables is None else others
    if len({file.stem for file in files}) < len(files):
        raise RecordError("two of the tables have the same file name; their reports would collide")
    records = load_all(runs, skip_damaged=True)
    made: dict[Path, TableReport] = {}
    written: dict[str, bytes] = {}
    left_out = []
    for file in [*files, *others]:
        try:
            report = make_table_report(read(file), records, runs, file.stem)
            own = report.files(file.stem)
            for name in own:
                if name in written or name == PAGE:
                    raise RecordError(f"{file}: its {name} would overwrite another file's")
        except RecordError as error:
            if file in files:
                raise
            left_out.append(str(error))
            if len(left_out) == len(others) and not made:
                raise
            continue
        made[file] = report
        written |= own
    on_page = [made[file] for file in sorted(made, key=lambda file: file.name)]
    shown = [report.table for report in on_page]
    claims = None if protocol is None else ledger(shown, records, protocol)
    written[PAGE] = render_page(on_page, records, runs, claims).encode()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{out}: cannot be made ({error.strerror})") from None
    for name, data in written.items():
        write_atomically(out / name, data)
    asked = made if tables is None else files
    markdown = "\n".join(made[file].markdown for file in asked)
    return Report([out / name for name in written], markdown, left_out)
