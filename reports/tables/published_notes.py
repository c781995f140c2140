"""What a reader must know of the published numbers beside a table's measured ones."""

from __future__ import annotations

import pandas as pd

from reports.published import find_published, published
from reports.published import notes as notes_by_name
from reports.tables.layout import Table


def has_published(table: Table) -> bool:
    """Whether the paper has a number for any place of the table."""
    return any(find_published(cell.claim) for row in table.rows for cell in row.cells.values())


def about_published(table: Table) -> str:
    """Whether the published numbers can be compared with the measured ones, in one sentence."""
    if not has_published(table):
        return _about_none(table)
    if table.on_published_data:
        return f"Published: {table.published_by} for {table.published_dataset}."
    return (
        f"Published numbers are for {table.published_dataset}, not for {table.dataset}: they are "
        "there for orientation and cannot be compared with the measured ones."
    )


def footnotes(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Letter (a, b, …) and text of the notes on published numbers, by the note's name."""
    used = set(frame["footnote"])
    known = notes_by_name()
    names = [name for name in known if name in used]
    letters = (chr(ord("a") + index % 26) * (index // 26 + 1) for index in range(len(names)))
    return {name: (letter, known[name]) for name, letter in zip(names, letters, strict=True)}


def _about_none(table: Table) -> str:
    if not table.paper_id:
        return "A study of ours: the paper has no such table."
    teachers = {number.teacher for number in published().values() if number.table == table.paper_id}
    if not teachers:
        return "The paper prints this figure without numbers."
    claims = [cell.claim.split("/") for row in table.rows for cell in row.cells.values()]
    asked = {claim[2] for claim in claims if claim[0] == table.paper_id}
    if asked and not asked & teachers:
        return "The paper has no numbers for these rows: its teachers are others."
    return "The paper has no numbers for these rows."
