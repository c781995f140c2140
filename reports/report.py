"""Write every table, figure and the page from records and views: nothing is run or typed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.claims.ledger import ledger
from reports.page import render_page
from reports.records import RecordError, load_all, write_atomically
from reports.table_report import make_sheet
from reports.tables.layout import read

PAGE = "report.html"


@dataclass(frozen=True)
class Rendered:
    """The files written, the page last, and the Markdown of all tables."""

    paths: list[Path]
    markdown: str

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.paths[-1]


def render(
    runs: Path,
    out: Path,
    views: Sequence[Path] | None = None,
    protocol: Mapping[str, float] | None = None,
) -> Rendered:
    """Write ``out/<view>.md .csv .tex`` and its figures for each view, and ``out/report.html``.

    Without ``views``, all of ``runs/views/*.json``. With ``protocol``, as `claims.ledger.ledger`
    takes it, the page has the paper's claims. RecordError, before anything is written, if a record
    or view cannot be read or a table cannot be made of them.
    """
    files = sorted((runs / "views").glob("*.json")) if views is None else list(views)
    if not files:
        raise RecordError(f"{runs / 'views'}: no view to report; run a table first")
    if len({file.stem for file in files}) < len(files):
        raise RecordError("two of the views have the same file name; their tables would collide")
    records = load_all(runs)
    read_views = [read(file) for file in files]
    sheets = [
        make_sheet(view, records, runs, file.stem)
        for file, view in zip(files, read_views, strict=True)
    ]
    written: dict[str, bytes] = {}
    for file, sheet in zip(files, sheets, strict=True):
        for name, data in sheet.files(file.stem).items():
            if name in written or name == PAGE:
                raise RecordError(f"{file}: its {name} would overwrite another file of that name")
            written[name] = data
    claims = None if protocol is None else ledger(read_views, records, protocol)
    written[PAGE] = render_page(sheets, records, runs, claims).encode()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{out}: cannot be made ({error.strerror})") from None
    for name, data in written.items():
        write_atomically(out / name, data)
    return Rendered([out / name for name in written], "\n".join(sheet.markdown for sheet in sheets))
