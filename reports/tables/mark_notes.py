"""What a reader must know of the marks of best and second best numbers."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from reports.seed_statistics import CORRECTION, ENOUGH_SEEDS, SIGNIFICANCE
from reports.tables.layout import Table

_UNTESTED = f"No test can tell two apart that share fewer than {ENOUGH_SEEDS} seeds"


def about_marks(table: Table, frame: pd.DataFrame, second: str) -> list[str]:
    """What the marks mean, or why there are none; nothing where no numbers are ranked.

    ``second`` is how the second best is marked.
    """
    if frame["mark"].any():
        return [_marked(table, frame, second)]
    return [_unmarked(table, frame)] if _compares(table, frame) else []


def _marked(table: Table, frame: pd.DataFrame, second: str) -> str:
    if not frame["p_value"].notna().any():
        return (
            f"{second.capitalize()}: the first two, where three or more of a {table.rank_along} "
            f"were measured. {_UNTESTED}, so none is bold."
        )
    parts = [
        "Bold: best, significantly better than every other (paired t-tests over seeds, p below "
        f"{SIGNIFICANCE}, {CORRECTION} over the {table.rank_along}s)"
    ]
    if frame["mark"].eq("second").any():
        parts.append(f"{second}: second best, significantly better than all after it")
    if frame["mark"].eq("tied").any():
        parts.append(
            f"{second}{', where none is bold' if len(parts) > 1 else ''}: one of the first two; "
            "the first is not significantly better than every other, or shares fewer than "
            f"{ENOUGH_SEEDS} seeds with one"
        )
    return f"{'; '.join(parts)}."


def _unmarked(table: Table, frame: pd.DataFrame) -> str:
    if not frame["p_value"].notna().any():
        return f"No number is marked as best. {_UNTESTED}."
    return (
        "No number is marked as best: none is significantly better than every other (paired "
        f"t-tests over seeds, {CORRECTION} over the {table.rank_along}s)."
    )


def _compares(table: Table, frame: pd.DataFrame) -> bool:
    """Whether numbers were measured that are ranked among each other."""
    measured = {(line.row, line.column) for line in frame[frame["n"] > 0].itertuples()}
    groups = Counter(
        table.ranking(row, column)
        for row in table.rows
        for column in table.columns
        if (row.id, column.id) in measured
    )
    return any(count > 1 for group, count in groups.items() if group)
