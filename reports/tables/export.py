"""Print the long form of `measured_frame` as Markdown, CSV and LaTeX, with what a reader must know.

Each row takes two lines, measured above published, so the two are never read as one number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from reports.tables.column_blocks import cut_to_blocks
from reports.tables.layout import Column, Table
from reports.tables.markup import (
    csv_text,
    escape_latex,
    escape_markdown,
    latex_table,
    markdown_table,
)
from reports.tables.measured import Line, lines_of
from reports.tables.notes import about_columns, notes
from reports.tables.published_notes import footnotes, has_published

NOT_RUN = "—"
MOST_DECIMALS = 8

Escape = Callable[[str], str]


class Decimals(NamedTuple):
    """How many decimals the numbers of a column have."""

    measured: int
    published: int


def decimals(frame: pd.DataFrame) -> dict[str, Decimals]:
    """By column: measured ones by their size, published ones as they were printed."""
    found = {}
    for column, lines in frame.groupby("column", sort=False):
        # The paper's tables have two decimals or more: 67.00, not 67.
        printed = [len(f"{v:.10g}".partition(".")[2]) for v in lines["published"] if not missing(v)]
        published = max(2, *printed) if printed else 0
        found[str(column)] = Decimals(places(*lines["mean"]) or published or 2, published)
    return found


def places(*values: float | None) -> int:
    """Decimals for numbers of the size of ``values``: 2 for 93.72, 4 for 0.7040, 5 for 0.00123.

    Of a largest number below 2 three or four digits are left. 0 if there is no number but zero and
    nothing.
    """
    largest = max((abs(x) for x in values if x is not None and not missing(x)), default=0)
    if largest == 0 or largest >= 2:
        return 2 if largest else 0
    return min(MOST_DECIMALS, max(4, 2 - math.floor(math.log10(largest))))


def number(value: float | None, places: int) -> str:
    """A number as text, zero without a sign; an em dash where there is none."""
    return NOT_RUN if missing(value) else f"{value:z.{places}f}"


def published_number(line: Line, places: int) -> str:
    """``44.30*``: the published number with its asterisk."""
    text = number(line["published"], places)
    return f"{text}*" if line["reimplemented"] else text


def missing(value: float | None) -> bool:
    """Whether there is no number: None, or pandas' NaN for None."""
    return value is None or math.isnan(value)


def to_markdown(table: Table, frame: pd.DataFrame) -> str:
    """A padded pipe table that also reads in a terminal, and the notes below it.

    One that is too wide is several tables beneath each other.
    """
    marks = {"best": "**{}**", "": "{}"}
    wide = _wide(table, frame, escape_markdown, marks, other="_{}_", plain=str)
    body = "\n\n".join(
        markdown_table(
            _heads(block),
            [[str(cell) for cell in line] for line in block.itertuples(index=False)],
            align,
        )
        for block, align in cut_to_blocks(table, wide)
    )
    about = [table.caption] if table.caption else []
    texts_below = [*about, *_notes(table, frame, "in italics")]
    below = [f"- {escape_markdown(text)}" for text in texts_below]
    return "\n".join([f"### {escape_markdown(table.title)}", "", body, "", *below]) + "\n"


def _heads(block: pd.DataFrame) -> list[str]:
    """Titles of its columns with their details."""
    titles, details = (block.columns.get_level_values(level) for level in (0, 1))
    return [f"{t} ({d})" if d else str(t) for t, d in zip(titles, details, strict=True)]


def to_csv(frame: pd.DataFrame) -> str:
    """The long form as CSV, numbers with the decimals that the table prints them with.

    Seeds, values and record keys are separated by spaces, what they were computed with by
    semicolons; the values of single seeds are not rounded.
    """
    flat, digits = frame.copy(), decimals(frame)
    printed = dict.fromkeys(("mean", "sd", "ci_low", "ci_high", "difference"), "measured")
    for name, kind in (printed | {"published": "published"}).items():
        flat[name] = [
            "" if missing(value) else number(value, getattr(digits[str(column)], kind))
            for value, column in zip(frame[name], frame["column"], strict=True)
        ]
    for name in ("seeds", "records"):
        flat[name] = [" ".join(map(str, items)) for items in frame[name]]
    flat["values"] = [" ".join(f"{value:.10g}" for value in items) for items in frame["values"]]
    for name in ("computed_on", "torch", "commits", "teachers"):
        flat[name] = ["; ".join(items) for items in frame[name]]
    return csv_text(flat)


def to_latex(table: Table, frame: pd.DataFrame) -> str:
    r"""A booktabs ``table*``, shrunk to the page if wider, with its notes below it.

    One that is too wide is several tabulars beneath each other, under one caption.
    """
    marks = {"best": r"\textbf{{{}}}", "": "{}"}
    wide = _wide(table, frame, escape_latex, marks, other=r"\underline{{{}}}", plain=escape_latex)
    blocks = cut_to_blocks(table, wide)
    for block, _ in blocks:
        if not any(block.columns.get_level_values(1)):
            block.columns = block.columns.get_level_values(0)
    return latex_table(
        blocks,
        caption=escape_latex(" ".join(filter(None, [f"{table.title}.", table.caption]))),
        label=latex_label(table),
        notes=[escape_latex(text) for text in _notes(table, frame, "underlined")],
    )


def latex_label(table: Table) -> str:
    """What the table is referred to as."""
    return "tab:" + re.sub(r"[^a-z0-9]+", "-", table.name.lower())


def _notes(table: Table, frame: pd.DataFrame, second: str) -> list[str]:
    """What stands below the table; ``second`` is how the second best is marked."""
    lettered = [f"[{letter}] {text}" for letter, text in footnotes(frame).values()]
    return [*notes(table, frame, second), *about_columns(table), *lettered]


def _wide(
    table: Table,
    frame: pd.DataFrame,
    escape: Escape,
    marks: Mapping[str, str],
    *,
    other: str,
    plain: Escape,
) -> pd.DataFrame:
    """The table as printed; columns are (title, detail). ``plain`` escapes digits and signs."""
    digits, notes_of = decimals(frame), footnotes(frame)
    body: list[list[str]] = []
    for row in table.rows:
        lines = lines_of(frame[frame["row"] == row.id])
        counts = [digits[line["column"]] for line in lines]
        labels = [escape(text) for text in row.labels.values()]
        measured = [
            marks.get(line["mark"], other).format(plain(_measured(line, count.measured)))
            for line, count in zip(lines, counts, strict=True)
        ]
        body.append([*labels, escape(f"measured, {table.dataset}"), *measured])
        if not has_published(table):
            continue
        published = []
        for line, count in zip(lines, counts, strict=True):
            letter = f" [{notes_of[line['footnote']][0]}]" if line["footnote"] else ""
            published.append(plain(published_number(line, count.published) + letter))
        blank = [""] * len(labels)
        body.append([*blank, escape(f"published, {table.published_dataset}"), *published])
    heads = [(label, "") for label in [*table.rows[0].labels, ""]]
    heads += [(column.title, _detail(column)) for column in table.columns]
    columns = pd.MultiIndex.from_tuples([(escape(t), escape(under)) for t, under in heads])
    return pd.DataFrame(body, columns=columns)


def _measured(line: Line, places: int) -> str:
    """``93.72 ± 0.10``; ``[n=2]`` is added where fewer seeds than planned were run."""
    text = number(line["mean"], places)
    if line["n"] > 1:
        text += f" ± {number(line['sd'], places)}"
    return text + (f" [n={line['n']}]" if 0 < line["n"] < line["planned"] else "")


def _detail(column: Column) -> str:
    """What stands below a column's title: its detail, unless the title says it."""
    return "" if column.detail in column.title else column.detail
