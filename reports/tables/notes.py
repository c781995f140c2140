"""What a reader of a table must know beside its numbers, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from reports.published import find_published
from reports.published import notes as published_notes
from reports.seed_statistics import ENOUGH_SEEDS, SIGNIFICANCE
from reports.tables.layout import Table

ASSUMED = "assumed —"  # how a method's note begins that says what nobody published
BY_HAND = "set by hand"
_UNTESTED = f"No test can tell two apart that share fewer than {ENOUGH_SEEDS} seeds"


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
    elif frame["mark"].any():
        lines.append(_about_marks(table, frame, second))
    elif _compares(table, frame):
        lines.append(_about_no_marks(frame))
    makers = sorted({made for several in frame["images_made_on"] for made in several})
    if len(makers) > 1:
        lines.append(f"The images behind these numbers were made on {_listed(makers)}.")
    protocols = {column.detail for column in table.columns if column.role == "method"}
    if {"offline", "joint"} <= protocols and table.rank_along == "row":
        lines.append("Best and second are taken over both protocols, as in the paper.")
    return lines


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


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


def has_published(table: Table) -> bool:
    """Whether the paper has a number for any place of the table."""
    return any(find_published(cell.claim) for row in table.rows for cell in row.cells.values())


def about_published(table: Table) -> str:
    """Whether the published numbers can be compared with the measured ones, in one sentence."""
    if not has_published(table):
        return "The paper prints no numbers for this."
    if table.on_published_data:
        return f"Published: {table.published_by} for {table.published_dataset}."
    return (
        f"Published numbers are for {table.published_dataset}, not for {table.dataset}: they are "
        "there for orientation and cannot be compared with the measured ones."
    )


def directions(table: Table) -> str:
    """``test accuracy in %: higher is better``; with several metrics, which way each goes.

    Where nothing is ranked, no way is better.
    """
    ways: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for column in table.columns:
        title = column.title.removesuffix(f", {column.group}")  # a metric's columns go one way
        name = title if table.rank_along == "column" else column.metric.replace("_", " ")
        unit = f" in {column.unit}" if column.unit else ""
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


def footnotes(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Letter (a, b, …) and text of the notes on published numbers, by the note's name."""
    used = set(frame["footnote"])
    known = published_notes()
    names = [name for name in known if name in used]
    letters = (chr(ord("a") + index % 26) * (index // 26 + 1) for index in range(len(names)))
    return {name: (letter, known[name]) for name, letter in zip(names, letters, strict=True)}


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


def _about_marks(table: Table, frame: pd.DataFrame, second: str) -> str:
    if not frame["p_value"].notna().any():
        return (
            f"{second.capitalize()}: the first two, where three or more of a {table.rank_along} "
            f"were measured. {_UNTESTED}, so none is bold."
        )
    text = (
        "Bold: best, told apart from every other by paired t-tests over seeds, corrected over the "
        f"{table.rank_along}s (p below {SIGNIFICANCE})"
    )
    if frame["mark"].isin(["second", "tied"]).any():
        text += (
            f"; {second}: second best, or the first two where the difference is inside the noise "
            f"or fewer than {ENOUGH_SEEDS} seeds have both"
        )
    return f"{text}."


def _about_no_marks(frame: pd.DataFrame) -> str:
    if not frame["p_value"].notna().any():
        return f"No number is marked as best. {_UNTESTED}."
    return "No number is marked as best: the differences are inside the noise of the seeds."
