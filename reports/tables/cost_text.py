"""Print the cost of a table's methods as Markdown, CSV and LaTeX."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.tables.cost_columns import CostCell, CostColumn, cost_columns
from reports.tables.cost_notes import cost_notes
from reports.tables.export import latex_label
from reports.tables.layout import Table
from reports.tables.markup import (
    csv_text,
    escape_latex,
    escape_markdown,
    latex_table,
    markdown_table,
)
from reports.tables.method_cost import MethodCost

TITLE = "What it cost"


def cost_markdown(lines: Sequence[MethodCost]) -> str:
    """The table below its heading, and the notes; empty without lines."""
    if not lines:
        return ""
    notes = [f"- {escape_markdown(note)}" for note in cost_notes(lines)]
    return "\n".join([f"#### {TITLE}", "", cost_table(lines), "", *notes]) + "\n"


def cost_table(lines: Sequence[MethodCost]) -> str:
    """The table alone, of at least one line."""
    columns = cost_columns(lines)
    head = [escape_markdown(column.head) for column in columns]
    body = [[escape_markdown(cell.text) for cell in row] for row in _rows(columns)]
    return markdown_table(head, body, _aligned(columns))


def cost_latex(table: Table, lines: Sequence[MethodCost]) -> str:
    r"""A booktabs ``table*`` of its own, labelled as the table's with ``-cost``; empty without."""
    if not lines:
        return ""
    columns = cost_columns(lines)
    wide = pd.DataFrame(
        [[escape_latex(cell.text) for cell in row] for row in _rows(columns)],
        columns=[escape_latex(column.head) for column in columns],
    )
    return latex_table(
        [(wide, _aligned(columns))],
        caption=escape_latex(f"{table.title}. {TITLE}."),
        label=f"{latex_label(table)}-cost",
        notes=[escape_latex(note) for note in cost_notes(lines)],
    )


def cost_csv(lines: Sequence[MethodCost]) -> str:
    """A line for each method, machine and row: seconds, 1e6 bytes, record keys."""
    return csv_text(pd.DataFrame([_plain(line) for line in lines]))


def _plain(line: MethodCost) -> dict[str, Any]:
    found: dict[str, Any] = {"row": " ".join(line.rows), **line.labels}
    found |= {"method": line.method, "device": line.machine, "n": len(line.seeds)}
    found |= {"images_n": len(line.known), "images": line.images and round(line.images.mean)}
    for name, summary in (
        ("images_seconds", line.seconds),
        ("images_per_second", line.images_per_second),
        ("teacher_agreement_percent", line.agreement),
        ("student_seconds", line.student_seconds),
    ):
        found |= {name: summary and summary.mean, f"{name}_sd": summary and summary.sd}
    return found | {
        "student_with_images": line.with_images,
        "images_peak_memory_mb": line.peak_mb,
        "student_peak_memory_mb": line.student_peak_mb,
        "records": " ".join(record.key for record in line.records),
    }


def _rows(columns: Sequence[CostColumn]) -> list[tuple[CostCell, ...]]:
    return list(zip(*(column.cells for column in columns), strict=True))


def _aligned(columns: Sequence[CostColumn]) -> str:
    return "".join("r" if column.numeric else "l" for column in columns)
