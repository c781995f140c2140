"""The cost of a table's methods as columns of printed numbers, in units that suit the largest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from reports.seed_statistics import Summary
from reports.tables.export import NOT_RUN
from reports.tables.method_cost import MethodCost

JOINT, REAL = "joint", "real"
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
        CostColumn("Images", "number", [_count(li) for li in lines]),
        CostColumn("Images", unit, [_image_time(li, per) for li in lines]),
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


def _count(line: MethodCost) -> CostCell:
    if line.of_real_images:
        return CostCell(REAL, 0.0)
    images = line.images
    return CostCell(f"{images.mean:,.0f}", images.mean) if images else CostCell(NOT_RUN)


def _image_time(line: MethodCost, per: float) -> CostCell:
    """With how many seeds it is of, where not all have the records of their images."""
    if line.of_real_images:
        return CostCell("0", 0.0)
    found = _mean(line.seconds, per)
    if line.seconds is None or len(line.known) == len(line.seeds):
        return found
    return CostCell(f"{found.text} [n={len(line.known)}]", found.value)


def _percent(summary: Summary | None) -> CostCell:
    """As seconds are printed, but with one decimal."""
    if summary is None:
        return CostCell(NOT_RUN)
    sd = "" if summary.sd is None else f" ± {summary.sd:.1f}"
    return CostCell(f"{summary.mean:.1f}{sd}", summary.mean)


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
