"""What a reader of a table must know beside its numbers, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.tables.computed_with import about_computing
from reports.tables.layout import Table
from reports.tables.mark_notes import about_marks
from reports.tables.published_notes import about_published

ASSUMED = "assumed —"  # how a method's note begins that says what nobody published
BY_HAND = "set by hand"


def notes(table: Table, frame: pd.DataFrame, second: str = "underlined") -> list[str]:
    """Data, scale, seeds, n, published numbers and marks, a sentence or two each."""
    counts = [int(n) for n in frame["n"] if n > 0]
    least, most = (min(counts), max(counts)) if counts else (0, 0)
    seeds = f"planned: {seeds_text(table.seeds)}"
    if most:
        n = f"{most}" if least == most else f"{least} to {most}"
        seeds = f"{'mean ± sd' if most > 1 else 'single runs'}, n = {n} ({seeds})"
    lines = [
        f"Measured on {table.dataset} at scale {table.scale}: {directions(table)}; {seeds}.",
        about_published(table),
    ]
    if frame["reimplemented"].any():
        lines.append("Published with an asterisk: re-implemented by the paper's authors.")
    if most == 0:
        lines.append("Nothing has been run yet (—).")
    lines += about_marks(table, frame, second)
    lines += about_computing(frame)
    protocols = {column.detail for column in table.columns if column.role == "method"}
    if {"offline", "joint"} <= protocols and table.rank_along == "row":
        as_in = ", as in the paper" if table.paper_id == "table5" else ""
        lines.append(f"Best and second are taken over both protocols{as_in}.")
    return lines


def seeds_text(seeds: Sequence[int]) -> str:
    """``seed 0``, ``seeds 0 to 2``, ``seeds 0, 3``."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"


def about_columns(table: Table) -> list[str]:
    """What the columns say of themselves, and what of methods and protocol is assumed.

    It is assumed of the paper's budget, which recipes begin with: at another scale that is said.
    """
    at = "" if table.scale == "paper" else ", at scale paper"
    # A method's note stands in each of its columns; a reader needs it once.
    said = ((column.method or column.title, column.note) for column in table.columns if column.note)
    about = [(name, note.replace(ASSUMED, f"assumed{at} —")) for name, note in dict.fromkeys(said)]
    lines = [f"{name}: {note}" for name, note in about]
    by_hand = {f"{BY_HAND}: {text}" for text in table.overrides}
    lines += [f"Assumed{'' if what in by_hand else at}: {what}" for what in table.assumed]
    return [line if line.endswith(".") else f"{line}." for line in lines]


def directions(table: Table) -> str:
    """``test accuracy in %: higher is better``; with several metrics, which way each goes.

    Where nothing is ranked, no way is better.
    """
    ways: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for column in table.columns:
        title = column.title.removesuffix(f", {column.group}")  # a metric's columns go one way
        name = title if table.rank_along == "column" else column.metric.replace("_", " ")
        unit = f" in {column.unit}" if column.unit not in column.title else ""
        ways[column.higher_is_better][name.partition("{")[0].strip() + unit] = None
    if not is_ranked(table):
        return ", ".join([*ways[True], *ways[False]])
    return "; ".join(
        f"{', '.join(names)}: {'higher' if better else 'lower'} is better"
        for better, names in ways.items()
        if names
    )


def is_ranked(table: Table) -> bool:
    """Whether the table has numbers that could be best: those of columns and rows of methods."""
    return any(table.ranking(row, column) for row in table.rows for column in table.columns)
