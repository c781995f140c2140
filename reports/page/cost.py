"""The table of costs below a table of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.page.filters import FilterIndex
from reports.tables.cost_columns import cost_columns
from reports.tables.cost_notes import cost_notes
from reports.tables.cost_text import TITLE
from reports.tables.method_cost import MethodCost


def cost_section(lines: Sequence[MethodCost], index: FilterIndex) -> dict[str, Any] | None:
    """What the template needs, each line with the records it is made of; None without lines."""
    if not lines:
        return None
    columns = cost_columns(lines)
    differ = [not c.numeric and len({cell.text for cell in c.cells}) > 1 for c in columns[:-1]]
    names = [place for place, lines_differ in enumerate(differ) if lines_differ]
    rows = [
        {
            "cells": [column.cells[place] for column in columns],
            "needs": index.numbers({line.method} & set(index.methods)),
            "records": [(r.kind, r.label, r.key) for r in line.records],
        }
        for place, line in enumerate(lines)
    ]
    return {
        "title": TITLE,
        "columns": columns,
        "stays": names or [0],
        "rows": rows,
        "notes": cost_notes(lines),
    }
