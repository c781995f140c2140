"""Tables too wide for a page: blocks of columns beneath each other, by group."""

import csv
import io
import re

import msgspec
import pytest

from reports.records import Record
from reports.tables.export import to_csv, to_latex, to_markdown
from reports.tables.layout import Table, TableCell
from reports.tables.measured import measured_frame
from tests.reports.makers import make_column, make_record, make_table


def grouped(*sizes: int) -> tuple[Table, dict[str, Record]]:
    """A table with so many columns in groups one after another, measured 0.01, 0.02 and so on."""
    groups = [f"g{place}" for place, size in enumerate(sizes) for _ in range(size)]
    names = [f"M{place}" for place in range(len(groups))]
    table = make_table({name: TableCell([f"key{name}"]) for name in names})
    columns = [make_column(name, group=group) for name, group in zip(names, groups, strict=True)]
    records = {f"key{n}": make_record(f"key{n}", k / 100) for k, n in enumerate(names, start=1)}
    return msgspec.structs.replace(table, columns=columns), records


def markdown_heads(text: str) -> list[list[str]]:
    """Titles of the columns of numbers, for each pipe table."""
    lines = text.splitlines()
    heads = [lines[at - 1] for at, line in enumerate(lines) if line.startswith("| --")]
    return [re.findall(r"M\d+", head) for head in heads]


@pytest.mark.parametrize(
    ("sizes", "blocks"),
    [
        ((12,), [12]),
        ((12, 11), [12, 11]),  # a group stays together
        ((1, 5, 6, 2, 2), [12, 4]),  # as many groups as fit
        ((3, 10), [3, 10]),
        ((13,), [6, 7]),  # no group fits: as equal as can be
        ((2, 30, 2), [12, 10, 12]),
    ],
)
def test_columns_stand_in_blocks_by_group(sizes: tuple[int, ...], blocks: list[int]) -> None:
    table, records = grouped(*sizes)
    heads = markdown_heads(to_markdown(table, measured_frame(table, records)))
    assert [len(head) for head in heads] == blocks
    assert [name for head in heads for name in head] == [column.id for column in table.columns]


def test_each_block_has_labels_and_its_own_numbers_and_the_notes_come_once() -> None:
    table, records = grouped(12, 11)
    markdown = to_markdown(table, measured_frame(table, records))
    rows = [line for line in markdown.splitlines() if "measured, digits" in line]
    assert [("ResNet-34" in row, "VGG-11" in row) for row in rows] == [(True, True)] * 2
    numbers = [re.findall(r"\d+\.\d\d", row) for row in rows]
    assert numbers[0] == [f"{value}.00" for value in range(1, 13)]
    assert numbers[1] == [f"{value}.00" for value in range(13, 24)]
    assert markdown.count(table.caption) == 1
    assert markdown.index(table.caption) > markdown.index(rows[1])


def test_latex_has_a_tabular_for_each_block_under_one_caption() -> None:
    table, records = grouped(12, 11)
    latex = to_latex(table, measured_frame(table, records))
    assert re.findall(r"\\(?:begin|end){(table\*|tabular)}", latex) == [
        *("table*", "tabular", "tabular", "tabular", "tabular", "table*"),
    ]
    assert latex.count(r"\caption{") == latex.count(r"\label{") == 1
    assert latex.count(r"\resizebox") == 2
    bare = re.sub(r"\\[{}]", "", latex)
    assert bare.count("{") == bare.count("}")
    for part, count in zip(latex.split(r"\begin{tabular}")[1:], (12, 11), strict=True):
        body = part.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
        assert {row.count("&") for row in body} == {2 + count}


def test_the_csv_is_one_table_however_wide() -> None:
    table, records = grouped(12, 11)
    lines = list(csv.DictReader(io.StringIO(to_csv(measured_frame(table, records)))))
    assert [line["column"] for line in lines] == [column.id for column in table.columns]
