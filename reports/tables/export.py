"""Print the long form of ``tables.tidy`` as Markdown, CSV and LaTeX, with the notes a reader needs.

Each row takes two lines, measured above published, so the two are never read as one number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from reports.tables.layout import Column, View
from reports.tables.markup import escape_latex, escape_markdown, latex_table, markdown_table
from reports.tables.notes import about_columns, footnotes, has_published, letter, notes

NOT_RUN = "—"

Line = Mapping[str, Any]
Escape = Callable[[str], str]


class Decimals(NamedTuple):
    """How many decimals the numbers of a column have."""

    measured: int
    published: int


def decimals(frame: pd.DataFrame) -> dict[str, Decimals]:
    """By column: measured ones by their size, published ones as they were printed."""
    found = {}
    for column, lines in frame.groupby("column", sort=False):
        published = [_printed(value) for value in lines["published"] if not missing(value)]
        as_printed = max(published, default=0)
        found[str(column)] = Decimals(places(*lines["mean"]) or as_printed or 2, as_printed)
    return found


def places(*values: float | None) -> int:
    """Decimals for numbers of the size of ``values``: 2 for 93.72, 4 for 0.7040, 6 for 0.001234.

    0 if there is no number but zero and nothing.
    """
    largest = max((abs(x) for x in values if x is not None and not missing(x)), default=0)
    return 0 if largest == 0 else 2 if largest >= 2 else 4 if largest >= 0.002 else 6


def _printed(value: float) -> int:
    """The paper's tables have two decimals or more: 67.00, not 67."""
    return max(2, len(f"{value:.10g}".partition(".")[2]))


def number(value: float | None, places: int) -> str:
    """A number as text; an em dash where there is none."""
    return NOT_RUN if missing(value) else f"{value:.{places}f}"


def small_print(column: Column) -> str:
    """What stands below a column's title: its detail, unless the title says it."""
    return "" if column.detail in column.title else column.detail


def measured_text(line: Line, places: int) -> str:
    """``93.72 ± 0.10``; ``[n=2]`` is added where fewer seeds than planned were run."""
    text = number(line["mean"], places)
    if line["n"] > 1:
        text += f" ± {number(line['sd'], places)}"
    return text + (f" [n={line['n']}]" if 0 < line["n"] < line["planned"] else "")


def published_text(view: View, line: Line, places: int) -> str:
    """``44.30* [a]``: the published number, its asterisk, the letter of its footnote."""
    text = number(line["published"], places)
    if line["reimplemented"] and text != NOT_RUN:
        text += "*"
    return text + (f" [{letter(view, line['footnote'])}]" if line["footnote"] else "")


def to_markdown(view: View, frame: pd.DataFrame) -> str:
    """A padded pipe table that also reads in a terminal, and the notes below it."""
    marks = {"best": "**{}**", "": "{}"}
    wide = _wide(view, frame, escape_markdown, marks, other="_{}_", plain=str)
    titles, details = (wide.columns.get_level_values(level) for level in (0, 1))
    head = [f"{t} ({d})" if d else str(t) for t, d in zip(titles, details, strict=True)]
    body = [[str(cell) for cell in line] for line in wide.itertuples(index=False)]
    texts = len(view.rows[0].labels) + 1
    aligned = "l" * texts + "r" * (len(head) - texts)
    title = escape_markdown(view.title)
    lines = [f"### {title}", "", *markdown_table(head, body, aligned), ""]
    lines += [f"- {escape_markdown(text)}" for text in _below(view, frame, "in italics")]
    return "\n".join(lines) + "\n"


def to_csv(frame: pd.DataFrame) -> str:
    """The long form as CSV; seeds, values and record keys separated by spaces."""
    flat = frame.copy()
    for name in ("seeds", "values", "records"):
        flat[name] = [" ".join(map(str, items)) for items in frame[name]]
    return flat.to_csv(index=False, lineterminator="\n")


def to_latex(view: View, frame: pd.DataFrame) -> str:
    r"""A booktabs ``table*``, shrunk to the page if wider; needs booktabs and graphicx."""
    marks = {"best": r"\textbf{{{}}}", "": "{}"}
    wide = _wide(view, frame, escape_latex, marks, other=r"\underline{{{}}}", plain=escape_latex)
    if not any(wide.columns.get_level_values(1)):
        wide.columns = wide.columns.get_level_values(0)
    texts = len(view.rows[0].labels) + 1
    return latex_table(
        wide,
        aligned="l" * texts + "r" * (wide.shape[1] - texts),
        caption=escape_latex(" ".join([f"{view.title}.", *_below(view, frame, "underlined")])),
        label=latex_label(view),
    )


def latex_label(view: View) -> str:
    """What the table is referred to as."""
    return "tab:" + re.sub(r"[^a-z0-9]+", "-", view.name.lower())


def _below(view: View, frame: pd.DataFrame, second: str) -> list[str]:
    """Caption, notes and footnotes; ``second`` is how the second best is marked."""
    caption = [view.caption] if view.caption else []
    letters = [f"[{letter}] {text}" for letter, text in footnotes(view).items()]
    return [*caption, *notes(view, frame, second), *about_columns(view), *letters]


def _wide(
    view: View,
    frame: pd.DataFrame,
    escape: Escape,
    marks: Mapping[str, str],
    *,
    other: str,
    plain: Escape,
) -> pd.DataFrame:
    """The table as printed; columns are (title, detail). ``plain`` escapes digits and signs."""
    by_column = decimals(frame)
    lines: list[list[str]] = []
    for row in view.rows:
        found = lines_of(frame[frame["row"] == row.id])
        shown = [by_column[line["column"]] for line in found]
        measured = [
            marks.get(line["mark"], other).format(plain(measured_text(line, count.measured)))
            for line, count in zip(found, shown, strict=True)
        ]
        published = [
            plain(published_text(view, line, count.published))
            for line, count in zip(found, shown, strict=True)
        ]
        labels = [escape(text) for text in row.labels.values()]
        lines.append([*labels, escape(f"measured, {view.dataset}"), *measured])
        if not has_published(view):
            continue
        blank = [""] * len(labels)
        lines.append([*blank, escape(f"published, {view.published_dataset}"), *published])
    heads = [(label, "") for label in view.rows[0].labels] + [("", "")]
    heads += [(column.title, small_print(column)) for column in view.columns]
    columns = pd.MultiIndex.from_tuples([(escape(t), escape(under)) for t, under in heads])
    return pd.DataFrame(lines, columns=columns)


def lines_of(frame: pd.DataFrame) -> list[Line]:
    """The lines of the long form, in order."""
    return [{str(name): value for name, value in line.items()} for line in frame.to_dict("records")]


def missing(value: float | None) -> bool:
    """Whether there is no number: None, or pandas' NaN for None."""
    return value is None or math.isnan(value)
