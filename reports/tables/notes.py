"""What a reader of a table must know beside its numbers, in sentences."""

from __future__ import annotations

import pandas as pd

from reports.seed_statistics import ENOUGH_SEEDS, SIGNIFICANCE
from reports.tables.layout import View


def notes(view: View, frame: pd.DataFrame, second: str = "underlined") -> list[str]:
    """Data, scale, seeds, n, published numbers and marks, a sentence or two each."""
    least, most = _counts(frame)
    seeds = f"planned seeds: {', '.join(map(str, view.seeds))}"
    if most:
        n = f"{most}" if least == most else f"{least} to {most}"
        seeds = f"{'mean ± sd' if most > 1 else 'single runs'}, n = {n} ({seeds})"
    lines = [
        f"Measured on {view.dataset} at scale {view.scale}: {directions(view)}; {seeds}.",
        about_published(view),
    ]
    if frame["reimplemented"].any():
        lines.append("Published with an asterisk: re-implemented by the paper's authors.")
    if most == 0:
        lines.append("Nothing has been run yet (—).")
    elif frame["mark"].any():
        lines.append(_explain_marks(view, most, second))
    protocols = {column.detail for column in view.columns if column.role == "method"}
    if {"offline", "joint"} <= protocols and view.contest == "row":
        lines.append("Best and second are taken over both protocols, as in the paper.")
    return lines


def about_columns(view: View) -> list[str]:
    """What the columns say of themselves, and what of methods and protocol is assumed."""
    # A method's note stands in each of its columns; a reader needs it once.
    said = ((column.method or column.title, column.note) for column in view.columns if column.note)
    lines = [f"{name}: {note}" for name, note in dict.fromkeys(said)]
    lines += [f"Assumed: {what}" for what in view.assumed]
    return [line if line.endswith(".") else f"{line}." for line in lines]


def has_published(view: View) -> bool:
    """Whether the paper has a number for any place of the view."""
    cells = (cell for row in view.rows for cell in row.cells.values())
    return any(cell.published is not None for cell in cells)


def about_published(view: View) -> str:
    """Whether the published numbers can be compared with the measured ones, in one sentence."""
    if not has_published(view):
        return "The paper prints no numbers for this."
    if view.on_published_data:
        return f"Published: the paper's numbers for {view.published_dataset}."
    return (
        f"Published numbers are for {view.published_dataset}, not for {view.dataset}: they are "
        "there for orientation and cannot be compared with the measured ones."
    )


def directions(view: View) -> str:
    """``test accuracy in %: higher is better``; with several metrics, which way each goes.

    Where nothing competes, no way is better.
    """
    ways: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for column in view.columns:
        name = column.title if view.contest == "column" else column.metric.replace("_", " ")
        unit = f" in {column.unit}" if column.unit else ""
        ways[column.higher_is_better][name.partition("{")[0].strip() + unit] = None
    if not competes(view):
        return ", ".join([*ways[True], *ways[False]])
    return "; ".join(
        f"{', '.join(names)}: {'higher' if better else 'lower'} is better"
        for better, names in ways.items()
        if names
    )


def competes(view: View) -> bool:
    """Whether the view has numbers that could be best: those of columns and rows of methods."""
    columns, rows = ([item.role for item in items] for items in (view.columns, view.rows))
    return "method" in columns and "method" in rows


def footnotes(view: View) -> dict[str, str]:
    """The footnotes of the published numbers by letter."""
    return {letter(view, key): text for key, text in view.footnotes.items()}


def letter(view: View, footnote: str) -> str:
    """The letter that stands for a footnote: a, b, … in the order of the view."""
    index = list(view.footnotes).index(footnote)
    return chr(ord("a") + index % 26) * (index // 26 + 1)


def _counts(frame: pd.DataFrame) -> tuple[int, int]:
    counts = [int(n) for n in frame["n"] if n > 0]
    return (min(counts), max(counts)) if counts else (0, 0)


def _explain_marks(view: View, most: int, second: str) -> str:
    if most < ENOUGH_SEEDS:
        return (
            f"{second.capitalize()}: the first two of a {view.contest}. With n = {most} no test "
            "can tell them apart, so none is bold."
        )
    return (
        "Bold: best, told apart from the next by a paired t-test over seeds, corrected over the "
        f"{view.contest}s (p below {SIGNIFICANCE}); {second}: second best, or the first two where "
        "the difference is inside the noise."
    )
