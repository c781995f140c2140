"""The claims ledger as Markdown: counts of verdicts on top, then the numbers by table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pandas as pd

from reports.claims.ledger import VERDICTS

HEAD = ("number", "published", "measured", "of", "difference", "verdict", "why")
EMPTY = "—"

Line = Mapping[str, Any]


def claims_markdown(frame: pd.DataFrame) -> str:
    """What a reader opens: ``frame`` is `reports.claims.ledger.ledger`'s."""
    blocks = [
        f"# The paper's {len(frame)} published numbers",
        "\n".join(_counts(frame)),
        "A measured number is compared with a published one only where nothing that matters "
        "differs: data set, networks, trainings, number of images, extractor. Measured: mean ± sd "
        "(seeds).",
    ]
    for table, lines in frame.groupby("table", sort=False):
        blocks += [f"## {table}", "\n".join(_lines(lines))]
        if notes := _notes(lines):
            blocks.append("\n".join(f"[{mark}] {text}  " for text, mark in notes.items()))
    return "\n\n".join(blocks) + "\n"


def _counts(frame: pd.DataFrame) -> Iterator[str]:
    yield _row(["", *VERDICTS])
    yield _row(["---", *["---:"] * len(VERDICTS)])
    for table, lines in frame.groupby("table", sort=False):
        yield _row([str(table), *_count(lines)])
    yield _row(["all", *_count(frame)])


def _count(lines: pd.DataFrame) -> list[str]:
    return [str(int((lines["verdict"] == verdict).sum())) for verdict in VERDICTS]


def _lines(frame: pd.DataFrame) -> Iterator[str]:
    notes = _notes(frame)
    yield _row(HEAD)
    yield _row(["---", "---:", "---:", "---", "---:", "---", "---"])
    for line in cast(list[Line], frame.to_dict("records")):
        mark = f" [{notes[line['note']]}]" if line["note"] else ""
        yield _row(
            [
                _what(line),
                _number(line["published"], line) + mark,
                _measured(line),
                f"{line['measured_on']}, {line['scale']}" if line["scale"] else EMPTY,
                _number(line["difference"], line, "+"),
                line["verdict"],
                line["reason"] or EMPTY,
            ]
        )


def _notes(frame: pd.DataFrame) -> dict[str, str]:
    """The notes of a table with their letters."""
    texts = [text for text in dict.fromkeys(frame["note"]) if text]
    return {text: chr(ord("a") + index) for index, text in enumerate(texts)}


def _what(line: Line) -> str:
    networks = " → ".join(part for part in (line["teacher"], line["student"]) if part)
    parts = (line["dataset"], networks, line["method"], line["metric"].replace("_", " "))
    return ", ".join(part for part in parts if part)


def _measured(line: Line) -> str:
    text = _number(line["measured"], line)
    if pd.notna(line["sd"]):
        text += f" ± {_number(line['sd'], line)}"
    return f"{text} ({line['n']})" if line["n"] else text


def _number(value: float | None, line: Line, sign: str = "") -> str:
    """Two places, or four for fractions; settings as they are."""
    if value is None or pd.isna(value):
        return EMPTY
    if line["method"] == "protocol":
        return f"{value:{sign}g}"
    return f"{value:{sign}.{4 if abs(line['published']) < 2 else 2}f}"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
