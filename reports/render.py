"""Write every table and the page from records and views: nothing is run, nothing is typed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.page import render_page
from reports.records import RecordError, load_all, write_atomically
from reports.tables import tidy, to_csv, to_latex, to_markdown
from reports.views import read


@dataclass(frozen=True)
class Rendered:
    """The files written, the page last, and the Markdown of all tables."""

    paths: list[Path]
    markdown: str

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.paths[-1]


def render(runs: Path, out: Path, views: Sequence[Path] | None = None) -> Rendered:
    """Write ``out/<view>.md .csv .tex`` for each view and ``out/report.html``.

    Without ``views``, all of ``runs/views/*.json``. RecordError, before anything is written, if a
    record or view cannot be read or a table cannot be made of them.
    """
    files = sorted((runs / "views").glob("*.json")) if views is None else list(views)
    if not files:
        raise RecordError(f"{runs / 'views'}: no view to report; run a table first")
    if len({file.stem for file in files}) < len(files):
        raise RecordError("two of the views have the same file name; their tables would collide")
    records = load_all(runs)
    read_views = [read(file) for file in files]
    texts: dict[Path, str] = {}
    markdown = []
    for file, view in zip(files, read_views, strict=True):
        frame = tidy(view, records)
        markdown.append(to_markdown(view, frame))
        texts[out / f"{file.stem}.md"] = markdown[-1]
        texts[out / f"{file.stem}.csv"] = to_csv(frame)
        texts[out / f"{file.stem}.tex"] = to_latex(view, frame)
    texts[out / "report.html"] = render_page(read_views, records, runs)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{out}: cannot be made ({error.strerror})") from None
    for path, text in texts.items():
        write_atomically(path, text.encode())
    return Rendered(list(texts), "\n".join(markdown))
