"""Print the cost of a table's methods as Markdown, CSV and LaTeX, with what a reader must know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from reports.seed_statistics import Summary
from reports.tables.export import NOT_RUN, latex_label
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
LOW_AGREEMENT = 50.0  # percent: below, most labels of the images are wrong
JOINT = "joint"
HOURS_FROM = 7200.0  # seconds
GIGABYTES_FROM = 10_000.0  # 1e6 bytes


class CostCell(NamedTuple):
    """What is printed, and the number to sort by."""

    text: str
    value: float | None = None


class CostColumn(NamedTuple):
    """A column's title, what stands below it, and its cells."""

    title: str
    detail: str
    cells: list[CostCell]
    numeric: bool = True

    @property
    def head(self) -> str:
        """``Images: seconds``."""
        return f"{self.title}: {self.detail}" if self.detail else self.title


def cost_columns(lines: Sequence[MethodCost]) -> list[CostColumn]:
    """The table, a cell for each of ``lines`` (at least one) in every column.

    Seconds become hours, and megabytes gigabytes, where the largest would be too long a number.
    """
    columns = [_texts(label, [line.labels[label] for line in lines]) for label in lines[0].labels]
    if not all(line.in_labels for line in lines):
        columns.append(_texts("Method", [line.method for line in lines]))
    per, unit = _time_unit(lines)
    mega, memory = _memory_unit(lines)
    columns += [
        CostColumn("Seeds", "", [CostCell(str(len(li.seeds)), len(li.seeds)) for li in lines]),
        CostColumn("Images", "", [_count(li.images) for li in lines]),
        CostColumn("Images", unit, [_mean(li.seconds, per) for li in lines]),
        CostColumn("Images", "per second", [_mean(li.images_per_second) for li in lines]),
        CostColumn("Images", f"peak {memory}", [_peak(li.peak_mb, mega) for li in lines]),
    ]
    if any(line.agreement for line in lines):
        columns.append(
            CostColumn("Images", "teacher agrees, %", [_percent(li.agreement) for li in lines])
        )
    if any(line.with_images or line.student_seconds for line in lines):
        of_student = [
            (CostCell(JOINT), CostCell(JOINT))
            if li.with_images
            else (_mean(li.student_seconds, per), _peak(li.student_peak_mb, mega))
            for li in lines
        ]
        columns += [
            CostColumn("Student", unit, [time for time, _ in of_student]),
            CostColumn("Student", f"peak {memory}", [peak for _, peak in of_student]),
        ]
    return [*columns, _texts("Device", [line.machine for line in lines])]


def cost_notes(lines: Sequence[MethodCost]) -> list[str]:
    """What a reader must know beside the numbers, a sentence or two each."""
    several = any(len(line.seeds) > 1 for line in lines)
    compete = any(line.competes for line in lines)
    notes = [
        f"{'Means ± sd over seeds' if several else 'Single runs'}: wall time on the device, with "
        "whatever else ran there. Cells that rows or methods share ran once, and count in each.",
        "Images: all cells that made them, whole"
        + (", with the students that they compete with meanwhile" if compete else "")
        + "; the teacher is given.",
    ]
    if any(line.agreement for line in lines):
        joint = any(line.with_images for line in lines)
        notes.append(
            "Teacher agrees: it gives so many of them the label that they were made for"
            + (
                ". Of a joint method it may be all, where labels are its own answers, or few: its "
                "student learned from the images without their labels."
                if joint
                else "."
            )
        )
    if low := [line for line in lines if _agrees_too_little(line)]:
        named = "; ".join(dict.fromkeys(_name(line) for line in low))
        notes.append(
            f"WARNING: the teacher gives most images another label than the asked one ({named}). "
            "They are far from their classes, and their labels are no ground truth: raise the "
            "iterations or steps of the method."
        )
    if any(line.student_seconds for line in lines):
        notes.append("Student: the network that was trained on the images, and its test.")
    if any(line.with_images for line in lines):
        notes.append(
            f"{JOINT.capitalize()}: the student grew with the generator, at the cost of the images."
        )
    notes.append(f"Peak: the most memory that a cell held at a time, {_whose_memory(lines)}.")
    if len({line.machine for line in lines}) > 1:
        notes.append("Different devices stand in lines of their own; nothing is a mean over them.")
    if any(len(line.known) < len(line.seeds) for line in lines):
        notes.append(f"{NOT_RUN}: a record of a cell that made the images is missing.")
    return notes


def _agrees_too_little(line: MethodCost) -> bool:
    """Whether most labels are wrong and that can be mended: not of a student that grew with its
    images, without labels, nor of a control that has no settings.
    """
    low = line.agreement is not None and line.agreement.mean < LOW_AGREEMENT
    return low and not line.with_images and line.has_settings


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
        wide,
        _aligned(columns),
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
    found["images"] = line.images and round(line.images.mean)
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


def _texts(title: str, texts: Sequence[str]) -> CostColumn:
    return CostColumn(title, "", [CostCell(text) for text in texts], numeric=False)


def _time_unit(lines: Sequence[MethodCost]) -> tuple[float, str]:
    times = [time.mean for li in lines for time in (li.seconds, li.student_seconds) if time]
    device = "GPU-" if all(line.on_gpu for line in lines) else ""
    if max(times, default=0) >= HOURS_FROM:
        return 3600.0, f"{device}hours"
    return 1.0, f"{device}seconds"


def _memory_unit(lines: Sequence[MethodCost]) -> tuple[float, str]:
    peaks = [peak for line in lines for peak in (line.peak_mb, line.student_peak_mb) if peak]
    return (1000.0, "GB") if max(peaks, default=0) >= GIGABYTES_FROM else (1.0, "MB")


def _whose_memory(lines: Sequence[MethodCost]) -> str:
    on_gpu = {line.on_gpu for line in lines}
    if on_gpu == {True}:
        return "the GPU's"
    return "the process's" if on_gpu == {False} else "the GPU's or, on a CPU, the process's"


def _count(summary: Summary | None) -> CostCell:
    return CostCell(f"{summary.mean:,.0f}", summary.mean) if summary else CostCell(NOT_RUN)


def _percent(summary: Summary | None) -> CostCell:
    """As seconds are printed, but with one decimal."""
    if summary is None:
        return CostCell(NOT_RUN)
    sd = "" if summary.sd is None else f" ± {summary.sd:.1f}"
    return CostCell(f"{summary.mean:.1f}{sd}", summary.mean)


def _name(line: MethodCost) -> str:
    own = list(line.labels.values())
    return ", ".join(own if line.in_labels else [line.method, *own])


def _mean(summary: Summary | None, per: float = 1.0) -> CostCell:
    if summary is None:
        return CostCell(NOT_RUN)
    mean = summary.mean / per
    places = _decimals(mean)
    text = f"{mean:,.{places}f}"
    if summary.sd is not None:
        text += f" ± {summary.sd / per:,.{places}f}"
    return CostCell(text, mean)


def _peak(peak: float | None, per: float) -> CostCell:
    if peak is None:
        return CostCell(NOT_RUN)
    return CostCell(f"{peak / per:,.{1 if per > 1 else 0}f}", peak / per)


def _decimals(value: float) -> int:
    """Decimals that leave three digits: wall times are no more exact."""
    return 0 if value <= 0 else max(0, 2 - math.floor(math.log10(value)))
