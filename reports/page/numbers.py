"""A measured number with the texts and links that the page shows for it."""

from __future__ import annotations

from typing import Any

from reports.page.number_format import p_value
from reports.tables import export
from reports.tables.layout import View
from reports.tables.notes import letter

MARK_WORDS = {"best": "best", "second": "second best", "tied": "level with the best", "": ""}


def number_of(
    anchor: str, view: View, head: str, line: export.Line, decimals: export.Decimals
) -> dict[str, Any]:
    """``line`` of the long form, its texts with ``decimals``; ``head`` says which it is."""
    places = decimals.measured
    interval = ""
    if not export.missing(line["ci_low"]):
        low, high = (export.number(line[name], places) for name in ("ci_low", "ci_high"))
        interval = f"{low} to {high}"
    runs = [
        (seed, export.number(value, places), key)
        for seed, value, key in zip(line["seeds"], line["values"], line["records"], strict=True)
    ]
    published = export.number(line["published"], decimals.published)
    if line["reimplemented"] and published != export.NOT_RUN:
        published += "*"
    p = "" if export.missing(line["p_value"]) else p_value(line["p_value"])
    tip = [head, *(f"seed {seed}: {text}" for seed, text, _ in runs)]
    if interval:
        tip.append(f"95 % interval: {interval}")
    elif line["n"] == 1:
        tip.append("one run: noise not known")
    if line["mark"]:
        tip.append(_about_mark(line["mark"], p))
    tip.append(f"published ({view.published_dataset}): {published}")
    return {
        **line,
        "anchor": anchor,
        "runs": runs,
        "interval": interval,
        "p_text": p,
        "mean_text": export.number(line["mean"], places),
        "sd_text": export.number(line["sd"], places) if line["n"] > 1 else "",
        "published_text": published,
        "letter": letter(view, line["footnote"]) if line["footnote"] else "",
        "difference_text": ""
        if export.missing(line["difference"])
        else f"{line['difference']:+.{places}f}",
        "mark_words": MARK_WORDS[line["mark"]],
        "tip": "\n".join(tip),
    }


def _about_mark(mark: str, p: str) -> str:
    if mark == "best":
        return f"best, told apart from the next ({p})"
    if mark == "second":
        return f"second best, told apart from the best ({p})"
    if p:
        return f"one of the first two, which the seeds cannot tell apart ({p})"
    return "one of the first two; too few seeds for a test"
