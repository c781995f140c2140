"""Print the long form of ``tables.tidy`` as Markdown, CSV and LaTeX, with the notes a reader needs.

Each row takes two lines, measured above published, so the two are never read as one number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.statistics import ENOUGH_SEEDS, SIGNIFICANCE
from reports.views import View

NOT_RUN = "—"

_LATEX = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "→": r"$\rightarrow$"},
        **{"±": r"$\pm$", "–": "--", "—": "---", "|": r"\textbar{}", "\n": " "},  # noqa: RUF001
        **{"[": "{[}", "*": "{*}"},  # at the start of a row they would be an argument of \\
    }
)
_MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\|*_`<"} | {"\n": " "})

Line = Mapping[str, Any]
Escape = Callable[[str], str]


def notes(view: View, frame: pd.DataFrame, second: str = "underlined") -> list[str]:
    """What a reader must know: data, scale, seeds, n, marks, protocols of the columns."""
    better = "higher" if view.higher_is_better else "lower"
    unit = f" in {view.unit}" if view.unit else ""
    least, most = _counts(frame)
    lines = [
        f"Measured on {view.dataset} at scale {view.scale}: {view.metric.replace('_', ' ')}{unit}, "
        f"{better} is better; {'mean ± sd' if most > 1 else 'single runs'}, "
        f"n = {most if least == most else f'{least} to {most}'} "
        f"(planned seeds: {', '.join(map(str, view.seeds))}).",
        about_published(view),
    ]
    if frame["reimplemented"].any():
        lines.append("Published with an asterisk: re-implemented by the paper's authors.")
    lines.append(_explain_marks(most, second))
    by_protocol = {
        name: ", ".join(c.title for c in view.columns if c.protocol == name)
        for name in ("offline", "joint")
    }
    lines += [f"Protocol {name}: {titles}." for name, titles in by_protocol.items() if titles]
    if all(by_protocol.values()):
        lines.append("Best and second are taken over both protocols, as in the paper.")
    lines += [f"{column.title}: {column.note}" for column in view.columns if column.note]
    return [line if line.endswith(".") else f"{line}." for line in lines]


def footnotes(view: View) -> list[str]:
    """The footnotes of the published numbers, each with its letter."""
    return [f"[{letter(view, key)}] {text}" for key, text in view.footnotes.items()]


def about_published(view: View) -> str:
    """Whether the published numbers can be compared with the measured ones, in one sentence."""
    if view.on_published_data:
        return f"Published: the paper's numbers for {view.published_dataset}."
    return (
        f"Published numbers are for {view.published_dataset}, not for {view.dataset}: they are "
        "there for orientation and cannot be compared with the measured ones."
    )


def _counts(frame: pd.DataFrame) -> tuple[int, int]:
    counts = [int(n) for n in frame["n"] if n > 0]
    return (min(counts), max(counts)) if counts else (0, 0)


def _explain_marks(most: int, second: str) -> str:
    if most == 0:
        return f"Nothing has been run yet ({NOT_RUN})."
    if most == 1:
        return (
            f"Bold: best; {second}: second best. With n = 1 no noise is known, so the order is "
            "marked as it stands."
        )
    if most < ENOUGH_SEEDS:
        return (
            f"{second.capitalize()}: the first two of a row. With n = {most} no test can tell "
            "them apart, so none is bold."
        )
    return (
        "Bold: best, told apart from the next by a paired t-test over seeds, corrected over the "
        f"rows (p below {SIGNIFICANCE}); {second}: second best, or the first two where the "
        "difference is inside the noise."
    )


def _caption(view: View) -> list[str]:
    return [view.caption] if view.caption else []


def letter(view: View, footnote: str) -> str:
    """The letter that stands for a footnote: a, b, … in the order of the view."""
    index = list(view.footnotes).index(footnote)
    return chr(ord("a") + index % 26) * (index // 26 + 1)


def decimals(frame: pd.DataFrame) -> int:
    """Two places for numbers such as 93.72, four for fractions such as 0.7040."""
    numbers = [abs(x) for name in ("mean", "published") for x in frame[name] if not missing(x)]
    return 4 if numbers and max(numbers) < 2 else 2


def number(value: float | None, places: int) -> str:
    """A number as text; an em dash where there is none."""
    return NOT_RUN if missing(value) else f"{value:.{places}f}"


def measured_text(line: Line, places: int) -> str:
    """``93.72 ± 0.10``; ``[n=2]`` is added where fewer seeds than planned were run."""
    text = number(line["mean"], places)
    if line["n"] > 1:
        text += f" ± {number(line['sd'], places)}"
    return text + (f" [n={line['n']}]" if 0 < line["n"] < line["planned"] else "")


def published_text(view: View, line: Line, places: int) -> str:
    """``44.30* [a]``: the published number, its asterisk, the letter of its footnote."""
    text = number(line["published"], places)
    if line["reimplemented"] and text != NOT_RUN:
        text += "*"
    return text + (f" [{letter(view, line['footnote'])}]" if line["footnote"] else "")


def to_markdown(view: View, frame: pd.DataFrame) -> str:
    """A padded pipe table that also reads in a terminal, and the notes below it."""
    wide = _wide(view, frame, _markdown, {"best": "**{}**", "": "{}"}, other="_{}_", plain=str)
    titles, protocols = (wide.columns.get_level_values(level) for level in (0, 1))
    head = [f"{t} ({p})" if p else str(t) for t, p in zip(titles, protocols, strict=True)]
    body = [[str(cell) for cell in line] for line in wide.itertuples(index=False)]
    widths = [max(3, *map(len, column)) for column in zip(head, *body, strict=True)]
    texts = len(view.rows[0].labels) + 1

    def line_of(cells: Sequence[str]) -> str:
        pairs = enumerate(zip(cells, widths, strict=True))
        padded = (cell.ljust(w) if i < texts else cell.rjust(w) for i, (cell, w) in pairs)
        return f"| {' | '.join(padded)} |"

    rule = ["-" * w if i < texts else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    lines = [f"### {_markdown(view.title)}", "", *map(line_of, [head, rule, *body]), ""]
    for note in [*_caption(view), *notes(view, frame, "in italics"), *footnotes(view)]:
        lines.append(f"- {_markdown(note)}")
    return "\n".join(lines) + "\n"


def to_csv(frame: pd.DataFrame) -> str:
    """The long form as CSV; seeds, values and record keys separated by spaces."""
    flat = frame.copy()
    for name in ("seeds", "values", "records"):
        flat[name] = [" ".join(map(str, items)) for items in frame[name]]
    return flat.to_csv(index=False, lineterminator="\n")


def to_latex(view: View, frame: pd.DataFrame) -> str:
    r"""A booktabs ``table*``, shrunk to the page if wider; needs booktabs and graphicx."""
    marks = {"best": r"\textbf{{{}}}", "": "{}"}
    wide = _wide(view, frame, _latex, marks, other=r"\underline{{{}}}", plain=_latex)
    texts = len(view.rows[0].labels) + 1
    latex = wide.style.hide(axis="index").to_latex(
        hrules=True,
        column_format="l" * texts + "r" * (wide.shape[1] - texts),
        environment="table*",
        position="t",
        position_float="centering",
        caption=_latex(
            " ".join([f"{view.title}.", *_caption(view), *notes(view, frame), *footnotes(view)])
        ),
        label="tab:" + re.sub(r"[^a-z0-9]+", "-", view.name.lower()),
        sparse_columns=False,
    )
    shrink = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%" + "\n"
    return (
        latex.replace("\\centering\n", "\\centering\\small\\setlength{\\tabcolsep}{3pt}\n", 1)
        .replace("\\begin{tabular}", shrink + "\\begin{tabular}", 1)
        .replace("\\end{tabular}", "\\end{tabular}}", 1)
    )


def _wide(
    view: View,
    frame: pd.DataFrame,
    escape: Escape,
    marks: Mapping[str, str],
    *,
    other: str,
    plain: Escape,
) -> pd.DataFrame:
    """The table as printed; columns are (title, protocol). ``plain`` escapes digits and signs."""
    places = decimals(frame)
    lines: list[list[str]] = []
    for row in view.rows:
        found = lines_of(frame[frame["row"] == row.id])
        measured = [
            marks.get(line["mark"], other).format(plain(measured_text(line, places)))
            for line in found
        ]
        published = [plain(published_text(view, line, places)) for line in found]
        labels = [escape(text) for text in row.labels.values()]
        lines.append([*labels, escape(f"measured, {view.dataset}"), *measured])
        blank = [""] * len(labels)
        lines.append([*blank, escape(f"published, {view.published_dataset}"), *published])
    heads = [(label, "") for label in view.rows[0].labels] + [("", "")]
    heads += [(column.title, column.protocol) for column in view.columns]
    columns = pd.MultiIndex.from_tuples([(escape(title), under) for title, under in heads])
    return pd.DataFrame(lines, columns=columns)


def lines_of(frame: pd.DataFrame) -> list[Line]:
    """The lines of the long form, in order."""
    return [{str(name): value for name, value in line.items()} for line in frame.to_dict("records")]


def _latex(text: str) -> str:
    return text.translate(_LATEX)


def _markdown(text: str) -> str:
    return text.translate(_MARKDOWN)


def missing(value: float | None) -> bool:
    """Whether there is no number: None, or pandas' NaN for None."""
    return value is None or math.isnan(value)
