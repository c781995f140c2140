"""Tables of texts as Markdown and LaTeX, and their escapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

_LATEX = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
        **{"<": r"\textless{}", ">": r"\textgreater{}", "→": r"$\rightarrow$"},
        **{"×": r"$\times$", "³": "$^3$"},  # noqa: RUF001
        **{"±": r"$\pm$", "–": "--", "—": "---", "|": r"\textbar{}", "\n": " "},  # noqa: RUF001
        **{"[": "{[}", "*": "{*}"},  # at the start of a row they would be an argument of \\
    }
)
LATEX_PACKAGES = "% In the preamble: \\usepackage{booktabs} and \\usepackage{graphicx}\n"
_MARKDOWN = str.maketrans({letter: f"\\{letter}" for letter in "\\|*_`<[~"} | {"\n": " "})


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


def csv_text(frame: pd.DataFrame) -> str:
    """``frame`` as CSV: ten digits of a number, so that 0.808 * 100 is 80.8 there too."""
    return frame.to_csv(index=False, lineterminator="\n", float_format="%.10g")


def latex_table(
    blocks: Sequence[tuple[pd.DataFrame, str]],
    caption: str,
    label: str,
    notes: Sequence[str] = (),
) -> str:
    r"""A booktabs ``table*`` of escaped texts, shrunk to the page if wider, ``notes`` below it.

    ``blocks`` are its tabulars from top to bottom, each with the letters that align its columns. A
    comment names the packages that it needs.
    """
    body = "\\par\\medskip\n".join(_tabular(wide, aligned) for wide, aligned in blocks)
    below = "".join(f"\n{note}\\par" for note in notes)
    parbox = f"\\par\\smallskip\n\\parbox{{\\textwidth}}{{\\footnotesize\\raggedright{below}}}\n"
    return (
        f"{LATEX_PACKAGES}\\begin{{table*}}[t]\n\\centering\\small\\setlength{{\\tabcolsep}}{{3pt}}\n"
        f"\\caption{{{caption}}}\n\\label{{{label}}}\n{body}{parbox if notes else ''}"
        "\\end{table*}\n"
    )


def _tabular(wide: pd.DataFrame, aligned: str) -> str:
    """Shrunk to the page if wider."""
    latex = wide.style.hide(axis="index").to_latex(
        hrules=True, column_format=aligned, sparse_columns=False
    )
    shrink = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%" + "\n"
    return shrink + latex.rstrip("\n") + "}\n"
