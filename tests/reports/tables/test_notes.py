"""What a reader of a table must know beside its numbers, below it."""

from collections.abc import Callable

import msgspec
import pytest

from reports.records import Record
from reports.tables.export import to_latex, to_markdown
from reports.tables.layout import Table, TableCell
from reports.tables.measured import measured_frame
from tests.reports.makers import make_column, make_table, row_with

MakeCase = Callable[..., tuple[Table, dict[str, Record]]]


def test_a_table_without_methods_does_not_say_which_way_is_better(case: MakeCase) -> None:
    table, records = case({"DI": [0.8], "NI": [0.9]})
    columns = [make_column(name, role="baseline") for name in ("DI", "NI")]
    table = msgspec.structs.replace(table, columns=columns)
    markdown = to_markdown(table, measured_frame(table, records))
    assert "is better" not in markdown
    assert "Measured on digits at scale demo: test accuracy in %; single runs" in markdown


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_caption_says_what_few_seeds_cannot(case: MakeCase, seeds: int) -> None:
    two = {"DI": [0.8] * seeds, "NI": [0.9] * seeds}
    for accuracies in (two, two | {"ADI": [0.5] * seeds}):
        table, records = case(accuracies)
        frame = measured_frame(table, records)
        for text in (to_markdown(table, frame), to_latex(table, frame)):
            assert "No test can tell two apart that share fewer than 3 seeds" in text
            assert f"n = {seeds}" in text
    table, records = case({"DI": [0.8] * seeds})
    assert "No test" not in to_markdown(table, measured_frame(table, records))


def test_seeds_of_the_teacher_alone_say_nothing_of_noise(case: MakeCase) -> None:
    table, records = case({"T.": [0.95, 0.95, 0.95], "DI": [0.6], "NI": [0.9]})
    columns = [
        msgspec.structs.replace(column, role="baseline" if column.id == "T." else column.role)
        for column in table.columns
    ]
    table = msgspec.structs.replace(table, columns=columns)
    markdown = to_markdown(table, measured_frame(table, records))
    assert "No test can tell two apart" in markdown
    assert "significantly" not in markdown


def test_the_caption_says_when_the_data_set_is_another(case: MakeCase) -> None:
    table, records = case({"DI": [0.8]})
    frame = measured_frame(table, records)
    for text in (to_markdown(table, frame), to_latex(table, frame)):
        assert "Published numbers are for CIFAR-10, not for digits" in text
        assert "measured, digits" in text
        assert "published, CIFAR-10" in text
        assert "scale demo" in text
    table, records = case({"DI": [0.8]}, dataset="cifar10")
    assert "orientation" not in to_markdown(table, measured_frame(table, records))


def test_protocols_are_in_the_head_and_in_the_caption() -> None:
    table = make_table({"DAFL": TableCell([""]), "DI": TableCell([""])})
    columns = [make_column("DAFL", detail="joint"), make_column("DI", note="assumed: rate")]
    table = msgspec.structs.replace(table, columns=columns)
    markdown = to_markdown(table, measured_frame(table, {}))
    assert "DAFL (joint)" in markdown
    assert "DI (offline)" in markdown
    assert "- DI: assumed: rate." in markdown
    assert "Best and second are taken over both protocols" in markdown


@pytest.mark.parametrize(("scale", "at"), [("paper", ""), ("small", ", at scale paper")])
def test_what_is_assumed_of_the_papers_budget_is_said_to_be(scale: str, at: str) -> None:
    column = make_column("DAFL", note="assumed — batches: 256k samples")
    named = {"assumed": ["set by hand: di.x=1", "pruning: SGD"], "overrides": ["di.x=1"]}
    table = make_table({"DAFL": TableCell([""])}, columns=[column], scale=scale, **named)
    lines = to_markdown(table, measured_frame(table, {})).splitlines()
    assert f"- DAFL: assumed{at} — batches: 256k samples." in lines
    assert "- Assumed: set by hand: di.x=1." in lines
    assert f"- Assumed{at}: pruning: SGD." in lines


def test_a_table_that_the_paper_has_no_numbers_for_has_no_line_for_them(case: MakeCase) -> None:
    table, records = case({"DI": [0.8]})
    table = msgspec.structs.replace(table, rows=[row_with(table.rows[0], "DI", claim="")])
    frame = measured_frame(table, records)
    for text in (to_markdown(table, frame), to_latex(table, frame)):
        assert "The paper has no numbers for these rows" in text
        assert "published, CIFAR-10" not in text
