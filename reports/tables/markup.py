"""Tables of texts as Markdown and LaTeX, and their escapes."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

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


def escape_latex(text: str) -> str:
    """``text`` on one line, none of it a command."""
    return text.translate(_LATEX)


def escape_markdown(text: str) -> str:
    """``text`` on one line, none of it markup."""
    return text.translate(_MARKDOWN)


def markdown_table(head: Sequence[str], body: Sequence[Sequence[str]], aligned: str) -> list[str]:
    """The lines of a padded pipe table; ``aligned`` has an ``l`` or ``r`` for each column."""
    widths = [max(3, *map(len, column)) for column in zip(head, *body, strict=True)]

    def line_of(cells: Sequence[str]) -> str:
        triples = zip(cells, widths, aligned, strict=True)
        padded = (cell.ljust(w) if side == "l" else cell.rjust(w) for cell, w, side in triples)
        return f"| {' | '.join(padded)} |"

    pairs = zip(widths, aligned, strict=True)
    rule = ["-" * w if side == "l" else "-" * (w - 1) + ":" for w, side in pairs]
    return [line_of(cells) for cells in (head, rule, *body)]


def latex_table(wide: pd.DataFrame, aligned: str, caption: str, label: str) -> str:
    r"""A booktabs ``table*`` of escaped texts, shrunk to the page if wider.

    Needs booktabs and graphicx.
    """
    latex = wide.style.hide(axis="index").to_latex(
        hrules=True,
        column_format=aligned,
        environment="table*",
        position="t",
        position_float="centering",
        caption=caption,
        label=label,
        sparse_columns=False,
    )
    shrink = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%" + "\n"
    return (
        latex.replace("\\centering\n", "\\centering\\small\\setlength{\\tabcolsep}{3pt}\n", 1)
        .replace("\\begin{tabular}", shrink + "\\begin{tabular}", 1)
        .replace("\\end{tabular}", "\\end{tabular}}", 1)
    )
