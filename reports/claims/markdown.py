"""The claims ledger as Markdown: counts of verdicts on top, then the numbers by table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.claims.ledger import JUDGED, PROTOCOL, SETTINGS
from reports.claims.orderings import COMPARABLE, DIRECTIONS
from reports.tables.export import NOT_RUN
from reports.tables.markup import escape_markdown, markdown_table
from reports.tables.measured import Line, lines_of

ORDERINGS = ("ahead in the paper", "of", "published", "measured", "scale", "direction", "why")
HEAD = ("number", "published", "measured", "of", "difference", "verdict", "why")


def claims_markdown(frame: pd.DataFrame, orders: pd.DataFrame) -> str:
    """What a reader opens: ``frame`` is `ledger.ledger`'s, ``orders`` `orderings.orderings`'s."""
    tables = list(frame.groupby("table", sort=False))
    settings = frame["method"] == PROTOCOL
    results = frame[~settings]
    counts = [
        [str(name), *_count(lines, JUDGED)]
        for name, lines in [*results.groupby("table", sort=False), ("all", results)]
    ]
    blocks = [
        f"# The paper's {len(frame)} published numbers",
        f"{len(results)} are results:",
        markdown_table(["", *JUDGED], counts, "l" + "r" * len(JUDGED), pad=False),
        _about_settings(frame[settings]),
        "A measured number is compared with a published one only where nothing that matters "
        "differs: data set, networks, trainings, number of images, pixels, extractor. Measured: "
        "mean ± sd (seeds). Where all seeds share one teacher, ± and tests say nothing of other "
        "teachers.",
        *_orderings(orders),
    ]
    for name, lines in tables:
        texts = [text for text in dict.fromkeys(lines["note"]) if text]
        letters = {text: chr(ord("a") + index) for index, text in enumerate(texts)}
        rows = [_cells(line, letters) for line in lines_of(lines)]
        blocks += [f"## {name}", markdown_table(HEAD, rows, "lrrlrll", pad=False)]
        if letters:
            blocks.append("\n".join(f"[{mark}] {text}  " for text, mark in letters.items()))
    return "\n\n".join(blocks) + "\n"


def _orderings(orders: pd.DataFrame) -> list[str]:
    """Counts by direction, and those that were measured."""
    counts = orders["direction"].value_counts()
    said = ", ".join(f"{counts.get(name, 0)} {name}" for name in DIRECTIONS)
    measured = lines_of(orders[orders["n"] > 0])
    rows = [
        (
            f"{line['ahead']} over {line['behind']}",
            ", ".join(filter(None, (line["dataset"], _networks(line), line["metric"]))),
            f"{line['published']:+z.{_places(line)}f}",
            f"{line['measured']:+z.{_places(line)}f} ({line['n']})",
            line["scale"],
            line["direction"],
            line["reason"],
        )
        for line in measured
    ]
    return [
        "## Orderings",
        "Where values can't be compared, directions can: who is ahead of whom, at scale "
        f"{', '.join(reversed(COMPARABLE))} on the paper's data. {len(orders)} orderings: {said}.",
        *([markdown_table(ORDERINGS, rows, "llrrlll", pad=False)] if rows else []),
    ]


def _networks(line: Line) -> str:
    return " → ".join(part for part in (line["teacher"], line["student"]) if part)


def _places(line: Line) -> int:
    return 2 if line["unit"] == "%" or line["metric"] in ("fid", "inception_score") else 4


def _count(lines: pd.DataFrame, verdicts: Sequence[str]) -> list[str]:
    return [str(int((lines["verdict"] == verdict).sum())) for verdict in verdicts]


def _about_settings(lines: pd.DataFrame) -> str:
    """Counted apart: a recipe that has the paper's number of epochs has measured nothing."""
    found = zip(SETTINGS, _count(lines, SETTINGS), strict=True)
    said = [f"{count} {verdict}" for verdict, count in found if count != "0"]
    return (
        f"{len(lines)} are settings, such as numbers of images and epochs, which the recipes of "
        f"scale paper have or don't: {', '.join(said) or 'not looked up'}."
    )


def _cells(line: Line, letters: dict[str, str]) -> list[str]:
    parts = (line["dataset"], _networks(line), line["method"], line["metric"].replace("_", " "))
    measured_on = f"{line['measured_on']}, {line['scale']}" if line["scale"] else NOT_RUN
    measured = _number(line["measured"], line)
    if pd.notna(line["sd"]):
        measured += f" ± {_number(line['sd'], line)}"
    return [
        escape_markdown(", ".join(part for part in parts if part)),
        _number(line["published"], line) + (f" [{letters[line['note']]}]" if line["note"] else ""),
        f"{measured} ({line['n']})" if line["n"] else measured,
        escape_markdown(measured_on),
        _number(line["difference"], line, "+"),
        line["verdict"],
        escape_markdown(line["reason"] or NOT_RUN),
    ]


def _number(value: float | None, line: Line, sign: str = "") -> str:
    """Two places, or four for fractions; settings as they are."""
    if value is None or pd.isna(value):
        return NOT_RUN
    if line["method"] == PROTOCOL:
        return f"{value:{sign}g}"
    return f"{value:{sign}z.{4 if abs(line['published']) < 2 else 2}f}"
