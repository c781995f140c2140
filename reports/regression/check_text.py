"""A check's result as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.regression.check import Difference

HEAD = ("table", "row", "column", "accepted", "measured", "limit", "verdict")
EMPTY = "—"


def check_markdown(differences: Sequence[Difference]) -> str:
    """One row per number, columns aligned, and one line that says how it went."""
    lines = [list(HEAD)] + [list(_cells(one)) for one in differences]
    widths = [max(len(line[index]) for line in lines) for index in range(len(HEAD))]
    lines.insert(1, ["-" * width for width in widths])
    rows = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return "\n".join([*rows, "", verdict(differences)])


def verdict(differences: Sequence[Difference]) -> str:
    """``12 numbers: 10 same, 1 worse, 1 better``."""
    counts: dict[str, int] = {}
    for one in differences:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    text = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{len(differences)} numbers: {text}"


def _cells(one: Difference) -> Iterator[str]:
    unit = f" {one.unit}" if one.unit else ""
    yield one.view
    yield one.row
    yield one.column
    if one.accepted is None:
        yield EMPTY
    else:
        yield f"{one.accepted:.4g} ± {one.sd:.2g}{unit} ({one.accepted_n})"
    yield EMPTY if one.measured is None else f"{one.measured:.4g}{unit} ({one.n})"
    yield _limit(one, unit)
    yield one.verdict if not one.fails else one.verdict.upper()


def _limit(one: Difference, unit: str) -> str:
    """``p 0.41`` of the ranks with what it must not fall below, or how far the mean may be."""
    if one.p is not None:
        return f"p {one.p:.2g} (limit {one.p_limit:.2g})"
    return EMPTY if one.allowed is None else f"± {one.allowed:.2g}{unit}"
