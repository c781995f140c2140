"""The table of costs below a table of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.page.filters import FilterIndex
from reports.tables.cost_text import TITLE, cost_columns, cost_notes
from reports.tables.method_cost import MethodCost


def cost_section(lines: Sequence[MethodCost], index: FilterIndex) -> dict[str, Any] | None:
    """What the template needs, each line with the records it is made of; None without lines."""
    if not lines:
        return None
    columns = cost_columns(lines)
    rows = [
        {
            "cells": [column.cells[place] for column in columns],
            "needs": index.numbers({line.method} & set(index.methods)),
            "records": [(r.kind, r.label, r.key) for r in line.records],
        }
        for place, line in enumerate(lines)
    ]
    return {"title": TITLE, "columns": columns, "rows": rows, "notes": cost_notes(lines)}
