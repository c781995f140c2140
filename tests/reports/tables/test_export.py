"""The table as printed: nothing where nothing was run, marks, decimals, Markdown, LaTeX and CSV."""

import csv
import io
import re
from collections.abc import Callable

import msgspec
import pandas as pd
import pytest

from reports.records import Record
from reports.tables import export
from reports.tables.export import decimals, places, to_csv, to_latex, to_markdown
from reports.tables.layout import Table, TableCell
from reports.tables.measured import measured_frame
from tests.reports.makers import DI_CLAIM, NI_CLAIM, make_column, make_record, make_table, row_with

UNIT = "×10³"  # noqa: RUF001
MakeCase = Callable[..., tuple[Table, dict[str, Record]]]


def cells(markdown: str, start: str) -> list[str]:
    """The cells of the first Markdown row that holds ``start``."""
    row = next(text for text in markdown.splitlines() if text.startswith("|") and start in text)
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_not_run_is_an_em_dash_and_never_zero(case: MakeCase) -> None:
    table, records = case({"DI": [None], "NI": [0.9]})
    frame = measured_frame(table, records)
    assert list(frame["n"]) == [0, 1]
    assert list(frame["mean"].isna()) == [True, False]
    assert cells(to_markdown(table, frame), "measured")[-2:] == ["—", "90.00"]
    assert "& --- & 90.00" in to_latex(table, frame)
    assert pd.isna(pd.read_csv(io.StringIO(to_csv(frame)))["mean"][0])


def test_a_cell_that_the_row_does_not_have_is_an_em_dash_twice(case: MakeCase) -> None:
    table, records = case({"DI": [0.8]})
    table = msgspec.structs.replace(table, columns=[*table.columns, make_column("x")])
    markdown = to_markdown(table, measured_frame(table, records))
    assert cells(markdown, "measured")[-1] == "—"
    assert cells(markdown, "published")[-1] == "—"


def test_measured_above_published_with_its_asterisk_and_footnote() -> None:
    copied = "table5/cifar10/vgg11/vgg11/di/test_accuracy"
    claims = {"DI": DI_CLAIM, "NI": NI_CLAIM, "DI, VGG-11": copied}
    table = make_table({name: TableCell(["k"], claim) for name, claim in claims.items()})
    markdown = to_markdown(table, measured_frame(table, {"k": make_record("k", 0.8412)}))
    assert cells(markdown, "measured")[-3:] == ["84.12", "84.12", "84.12"]
    assert cells(markdown, "published")[-3:] == ["83.49*", "89.41", "84.16 [a]"]
    assert "re-implemented by the paper's authors" in markdown
    assert "[a] Copied from the DeepInversion paper" in markdown


@pytest.mark.parametrize("turned", [False, True])
def test_each_footnote_stands_by_its_own_number(turned: bool) -> None:
    """Two numbers with unlike notes, in either order, and one without."""
    of_row = "table5/cifar10/resnet34/vgg11"
    said = {
        "NI+ADI": (f"{of_row}/ni_adi/test_accuracy", "88.46", "without competition."),
        "NI": (NI_CLAIM, "89.41", ""),
        "DFAD": (f"{of_row}/dfad/test_accuracy", "88.66*", "the paper does not mark it."),
    }
    names = list(said)[::-1] if turned else list(said)
    table = make_table({name: TableCell(["k"], said[name][0]) for name in names})
    frame = measured_frame(table, {"k": make_record("k", 0.9)})
    for text, mark in ((to_markdown(table, frame), "|"), (to_latex(table, frame), "&")):
        lines = re.sub("[{}]", "", text).splitlines()
        (row,) = (line for line in lines if re.search(rf"published, CIFAR-10 +[{mark}]", line))
        numbers = [cell.strip(" \\") for cell in row.strip("| ").split(mark)][-3:]
        letters = set()
        for name, number in zip(names, numbers, strict=True):
            _, printed, note = said[name]
            value, _, letter = number.partition(" ")
            assert value == printed
            if note:
                (below,) = (line for line in lines if f"{letter} " in line and line != row)
                assert note in below
            letters.add(letter)
        assert letters == {"", "[a]", "[b]"}


def test_fewer_seeds_than_planned_say_so(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.9, None], "NI": [0.8, 0.9, 0.7]})
    markdown = to_markdown(table, measured_frame(table, records))
    assert cells(markdown, "measured")[-2].strip("_") == "85.00 ± 7.07 [n=2]"
    assert "n = 2 to 3 (planned: seeds 0 to 2)" in markdown


def test_best_is_bold_and_second_is_underlined(case: MakeCase) -> None:
    accuracies = {"DI": [0.80, 0.81, 0.82], "NI": [0.90, 0.91, 0.93], "ADI": [0.50, 0.52, 0.53]}
    table, records = case(accuracies)
    frame = measured_frame(table, records)
    assert cells(to_markdown(table, frame), "measured")[-3:] == [
        "_81.00 ± 1.00_",
        "**91.33 ± 1.53**",
        "51.67 ± 1.53",
    ]
    latex = to_latex(table, frame)
    assert r"\textbf{91.33 $\pm$ 1.53}" in latex
    assert r"\underline{81.00 $\pm$ 1.00}" in latex


def test_nothing_is_bold_inside_the_noise(case: MakeCase) -> None:
    near = {"DI": [0.90, 0.80, 0.85], "NI": [0.86, 0.85, 0.83]}
    table, records = case(near | {"ADI": [0.1, 0.2, 0.3]})
    markdown = to_markdown(table, measured_frame(table, records))
    assert "**" not in markdown
    assert "_85.00 ± 5.00_" in markdown
    tied = "in italics: one of the first two; the first is not significantly better than every"
    assert tied in markdown
    table, records = case(near)
    markdown = to_markdown(table, measured_frame(table, records))
    assert "_85.00 ± 5.00_" not in markdown
    assert "No number is marked as best: none is significantly better than every" in markdown


@pytest.mark.parametrize("seeds", [1, 2])
def test_nothing_is_bold_where_no_test_is_possible(case: MakeCase, seeds: int) -> None:
    table, records = case({"DI": [0.1] * seeds, "NI": [0.9] * seeds, "ADI": [0.5] * seeds})
    frame = measured_frame(table, records)
    assert list(frame["mark"]) == ["", "tied", "tied"]
    assert frame["p_value"].isna().all()
    assert "**" not in to_markdown(table, frame)
    assert r"\textbf" not in to_latex(table, frame)


def test_the_p_value_of_the_first_two_is_in_the_csv(case: MakeCase) -> None:
    table, records = case(
        {"DI": [0.80, 0.81, 0.82], "NI": [0.90, 0.91, 0.93], "ADI": [0.50, 0.52, 0.53]}
    )
    frame = pd.read_csv(io.StringIO(to_csv(measured_frame(table, records))))
    first, second, third = frame["p_value"]
    assert max(first, second) < 0.05
    assert first != second, "each is of its own tests"
    assert pd.isna(third)


def test_decimals_are_those_of_the_column(ablation: MakeCase) -> None:
    table, records = ablation(
        {"NI": {"fid": [76.04], "precision": [0.6797], "kid": [0.001834], "loss": [0.0]}}
    )
    frame = measured_frame(table, records)
    assert {name: of.measured for name, of in decimals(frame).items()} == {
        **{"fid": 2, "precision": 4, "kid": 5, "loss": 2},
    }
    assert cells(to_markdown(table, frame), "measured")[2:] == [
        *("76.04", "0.6797", "0.00183", "0.00"),
    ]
    assert "76.04 & 0.6797 & 0.00183" in to_latex(table, frame)


@pytest.mark.parametrize(
    ("largest", "printed"),
    [(93.724, "93.72"), (0.704, "0.7040"), (0.01, "0.0100"), (0.0099, "0.00990"), (1e-12, "0")],
)
def test_a_columns_largest_number_has_three_digits_or_four(largest: float, printed: str) -> None:
    text = export.number(largest, places(0.0, None, -largest))
    assert text == printed or float(text) == 0 == float(printed)


def test_a_zero_has_no_sign(ablation: MakeCase) -> None:
    numbers = {"NI": {"kid": [0.74, 0.75]}, "Real": {"kid": [-0.00001, -0.00002]}}
    table, records = ablation(numbers)
    frame = measured_frame(table, records)
    assert cells(to_markdown(table, frame), "| Real")[-1] == "0.0000 ± 0.0000"
    assert "-0.0000" not in to_latex(table, frame) + to_csv(frame)


def test_a_distance_may_be_shown_a_thousandfold(ablation: MakeCase) -> None:
    table, records = ablation({"NI": {"kid": [0.01234]}, "DI": {"kid": [0.0234]}})
    thousandfold = msgspec.structs.replace(table.columns[0], title=f"KID {UNIT}", unit=UNIT)
    table = msgspec.structs.replace(table, columns=[thousandfold])
    frame = measured_frame(table, records)
    markdown = to_markdown(table, frame)
    assert cells(markdown, "| NI")[-1].strip("_") == "12.34"
    assert f"KID {UNIT}: higher is better" in markdown
    assert r"KID $\times$10$^3$" in to_latex(table, frame)


def test_published_numbers_stand_as_printed_whatever_was_measured(ablation: MakeCase) -> None:
    numbers = {"DI": {"is": [1.23], "fid": [9.3074]}, "NI": {"is": [1.25], "fid": [0.0]}}
    table, records = ablation(numbers)
    printed = {"DI": {"is": 4.0, "fid": 0.6892}, "NI": {"is": 67.0, "fid": 0.7}}
    frame = measured_frame(table, records)
    frame["published"] = [printed[line.Method][line.column] for line in frame.itertuples()]
    table = msgspec.structs.replace(
        table, rows=[row_with(row, "is", claim=NI_CLAIM) for row in table.rows]
    )
    lines = to_markdown(table, frame).splitlines()
    found = [
        line.split("|")[3:-1] for line in lines if "measured, " in line or "published, " in line
    ]
    assert [[cell.strip(" _") for cell in line] for line in found] == [
        ["1.2300", "9.31"],
        ["4.00", "0.6892"],
        ["1.2500", "0.00"],
        ["67.00", "0.7000"],
    ]


def test_latex_is_balanced_and_booktabs(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.9], "NI": [0.9, None]}, title="50% & $x_i$ {a}")
    latex = to_latex(table, measured_frame(table, records))
    opened, closed = (re.findall(rf"\\{word}{{([^}}]+)}}", latex) for word in ("begin", "end"))
    assert opened == ["table*", "tabular"]
    assert closed == opened[::-1]
    bare = re.sub(r"\\[{}]", "", latex)
    assert bare.count("{") == bare.count("}")
    assert [r for r in ("top", "mid", "bottom") if rf"\{r}rule" not in latex] == []
    assert r"50\% \& \$x\_i\$ \{a\}" in latex
    assert r"\label{tab:table5-demo-digits}" in latex
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert {row.count("&") for row in body} == {4}
    assert all(row.endswith(r"\\") for row in body)


def test_markdown_rows_have_as_many_cells_as_the_head(case: MakeCase) -> None:
    table, records = case({"a|b": [0.8], "<b>": [0.9]})
    table = [
        t
        for t in to_markdown(table, measured_frame(table, records)).splitlines()
        if t.startswith("|")
    ]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table}) == 1
    assert len({len(row) for row in table}) == 1
    assert "\\<b>" in table[0]


def test_csv_is_the_long_form(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.9], "NI": [0.9, None]})
    frame = pd.read_csv(io.StringIO(to_csv(measured_frame(table, records))))
    assert list(frame["column"]) == ["DI", "NI"]
    assert frame["records"][0].split() == list(records)[:2]
    assert frame["mean"][0] == pytest.approx(85.0)
    assert frame["n"].tolist() == [2, 1]


def test_csv_numbers_are_those_that_the_table_prints(case: MakeCase) -> None:
    """0.808 * 100 is 80.80000000000001 in floating point."""
    table, records = case({"DI": [0.808, 0.808], "NI": [1 / 3, None]})
    text = to_csv(measured_frame(table, records))
    assert not re.search(r"\d\.\d{11}", text)
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["mean"], first["sd"], first["values"]) == ("80.80", "0.00", "80.8 80.8")
    assert (second["mean"], second["sd"]) == ("33.33", "")
    assert second["values"] == "33.33333333", "of single seeds nothing is lost"


def test_latex_has_its_notes_below_the_table_and_names_its_packages(case: MakeCase) -> None:
    table, records = case({"DI": [0.8], "NI": [0.9]}, caption="What it shows.")
    latex = to_latex(table, measured_frame(table, records))
    comment, rest = latex.split("\n", 1)
    assert comment == r"% In the preamble: \usepackage{booktabs} and \usepackage{graphicx}"
    assert "%" not in re.sub(r"\\%|\{%", "", rest), "no other comment"
    caption = re.search(r"\\caption{(.*)}", rest)
    assert caption
    assert caption[1].endswith("What it shows.")
    above, below = rest.split(r"\end{tabular}")
    assert "No test can tell" not in above
    assert re.search(r"No test can tell.*\\par", below)


def test_one_seed_of_several_planned_says_so_and_one_of_one_does_not(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, None, None], "NI": [0.8, 0.9, 0.7]})
    frame = measured_frame(table, records)
    assert cells(to_markdown(table, frame), "measured")[-2].strip("_") == "80.00 [n=1]"
    table, records = case({"DI": [0.8], "NI": [0.7]})
    assert "[n=1]" not in to_markdown(table, measured_frame(table, records))
