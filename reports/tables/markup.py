"""Tables of texts as Markdown and LaTeX, and their escapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], align: str, pad: bool = True
) -> str:
    """A pipe table; ``align`` has ``l`` or ``r`` for each column, ``pad`` makes columns straight.

    Cells are taken as they are: `escape_markdown` before.
    """
    lines = [list(head), *map(list, rows)]
    widths = [max(3, *map(len, column)) * pad for column in zip(*lines, strict=True)]
    rule = [
        "-" * max(3, w) if a == "l" else "-" * max(3, w - 1) + ":"
        for w, a in zip(widths, align, strict=True)
    ]
    lines.insert(1, rule)
    padded = (
        [c.ljust(w) if a == "l" else c.rjust(w) for c, w, a in zip(x, widths, align, strict=True)]
        for x in lines
    )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


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
