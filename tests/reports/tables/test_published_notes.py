"""What is said where no published number stands beside the measured ones, and of the marks."""

from collections.abc import Callable

import pytest

from reports.records import Record
from reports.tables.export import to_latex, to_markdown
from reports.tables.layout import Table, TableCell
from reports.tables.measured import measured_frame
from reports.tables.published_notes import about_published
from tests.reports.makers import make_column, make_table

MakeCase = Callable[..., tuple[Table, dict[str, Record]]]


@pytest.mark.parametrize(
    ("name", "claim", "said"),
    [
        ("table1", "table1/cifar10/vgg11/-/di/fid", "for these rows: its teachers are others."),
        ("table1-n10000", "table1/cifar10/resnet34/-/real/fid", "for these rows."),
        ("figure2", "", "The paper prints this figure without numbers."),
        ("figure6", "figure6/cifar10/vgg11/-/di/x", "for these rows: its teachers are others."),
        ("table5x", "", "A study of ours: the paper has no such table."),
        ("images", "-", "A study of ours: the paper has no such table."),
    ],
)
def test_a_table_without_published_numbers_says_why(name: str, claim: str, said: str) -> None:
    table = make_table({"DI": TableCell([""], claim)}, id=name)
    assert about_published(table).endswith(said)


@pytest.mark.parametrize(("name", "as_in"), [("table5", ", as in the paper."), ("rivals", ".")])
def test_only_table_5_is_ranked_over_both_protocols_in_the_paper(name: str, as_in: str) -> None:
    columns = [make_column("DAFL", detail="joint"), make_column("DI")]
    table = make_table({"DAFL": TableCell([""]), "DI": TableCell([""])}, columns=columns, id=name)
    text = to_markdown(table, measured_frame(table, {}))
    assert f"Best and second are taken over both protocols{as_in}\n" in text


def test_a_noisy_third_is_not_said_to_make_the_first_two_alike(case: MakeCase) -> None:
    """The second is far behind the first in every seed; the third scatters over both."""
    numbers = {"a": [0.90, 0.91, 0.92], "b": [0.80, 0.8101, 0.82], "c": [0.30, 0.95, 0.60]}
    table, records = case(numbers)
    frame = measured_frame(table, records)
    assert list(frame["mark"]) == ["tied", "tied", ""]
    said = "one of the first two; the first is not significantly better than every other"
    for text in (to_markdown(table, frame), to_latex(table, frame)):
        assert said in text
        assert "inside the noise" not in text
        assert "second best" not in text


def test_marks_are_explained_as_far_as_they_are_there(case: MakeCase) -> None:
    best = {"a": [0.90, 0.91, 0.92], "b": [0.80, 0.82, 0.83], "c": [0.30, 0.31, 0.35]}
    table, records = case(best)
    text = to_markdown(table, measured_frame(table, records))
    assert "Benjamini-Hochberg over the rows); in italics: second best, significantly" in text
    assert "one of the first two" not in text
    table, records = case(best | {"c": [0.81, 0.80, 0.84]})
    frame = measured_frame(table, records)
    text = to_markdown(table, frame)
    assert list(frame["mark"]) == ["best", "", ""]
    assert "second best" not in text
