"""Pages of results: their sentences are written by hand and their numbers are not.

A template ``docs/NAME.md.j2`` becomes ``docs/NAME.md``, and `README_TEMPLATE` the marked part of
the README. Templates name numbers by folder of kept results or file of accepted ones, table, row
and column. One that isn't there is an error, which says what is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, TemplateError

from reports.archive import KEPT
from reports.figures.draw import RenderedFigure
from reports.figures.tiles import Pixels
from reports.records import RecordError
from reports.regression.accepted_file import FOLDER as ACCEPTED
from reports.results_pages.accepted import AcceptedNumbers
from reports.results_pages.kept import Archive, difference_over_runs

TEMPLATES = "*.md.j2"
README_TEMPLATE = "readme-results.j2"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def render(
    template: Path, kept: Path = KEPT, accepted: Path = ACCEPTED
) -> tuple[str, dict[str, bytes]]:
    """A template as Markdown, and the pictures that it draws by the names of their files.

    RecordError for a number that there is no record of, and for a name that the template doesn't
    know.
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    folder = cache(lambda name: Archive(kept / name))
    file = cache(lambda name: AcceptedNumbers(accepted / f"{name}.csv"))
    pictures: dict[str, bytes] = {}

    def sheet(name: str, panels: Mapping[str, Pixels], classes: Sequence[str]) -> str:
        """Draws a contact sheet: its file, for a link."""
        from reports.figures.contact_sheet import draw_contact_sheet  # takes seconds to import

        pictures[name] = draw_contact_sheet(panels, classes)
        return name

    def figure(name: str, drawn: RenderedFigure) -> str:
        """Keeps a figure of a report: its file, for a link."""
        if not drawn.png:
            raise RecordError(f"{name}: {drawn.reason}")
        pictures[name] = drawn.png
        return name

    try:
        made = environment.from_string(template.read_text("utf-8"))
        text = made.render(
            kept=folder, accepted=file, over=difference_over_runs, sheet=sheet, figure=figure
        )
    except TemplateError as error:
        raise RecordError(f"{template}: {error.message}") from None
    return text, pictures


def render_all(docs: Path) -> dict[Path, bytes]:
    """The pages that the templates in ``docs`` make, their pictures, and the README beside that
    folder.
    """
    made: dict[Path, bytes] = {}
    for path in sorted(docs.glob(TEMPLATES)):
        text, pictures = render(path)
        made[path.with_suffix("")] = text.encode()
        made |= {docs / name: data for name, data in pictures.items()}
    readme = docs.parent / "README.md"
    before, begin, rest = readme.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RecordError(f"{readme}: no part between {BEGIN.strip()} and {END.strip()}")
    text, _ = render(docs / README_TEMPLATE)
    return made | {readme: (before + begin + text + end + after).encode()}
