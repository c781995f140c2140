"""Which of several measurements of a published number is compared with it."""

from collections.abc import Sequence

import msgspec
import pytest

from reports.tables.layout import Column, Row, TableCell
from tests.reports.claims.ledger_makers import (
    COPIED,
    NI,
    OWN,
    frame_of,
    record,
    students,
    table,
)


def test_the_same_data_come_before_the_larger_scale_and_that_before_the_smaller() -> None:
    made = {
        (scale, data): students(0.9 + number / 100, name=f"{scale}{data}")
        for number, (scale, data) in enumerate(
            [("paper", "digits"), ("mini", "cifar10"), ("paper", "cifar10"), ("demo", "cifar10")]
        )
    }
    tables = {of: (table(NI, found, *of), found) for of, found in made.items()}

    def chosen(*of: tuple[str, str]) -> tuple[str, str]:
        line = frame_of(*(tables[one] for one in of)).loc[NI]
        return line["scale"], line["measured_on"]

    assert chosen(*tables) == ("paper", "cifar10")
    assert chosen(("paper", "digits"), ("demo", "cifar10")) == ("demo", "cifar10")
    assert chosen(("demo", "cifar10"), ("mini", "cifar10")) == ("mini", "cifar10")


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_tables_the_one_with_more_seeds_is_compared(order: int) -> None:
    few, many = students(0.93, name="few"), students(0.93, 0.94, 0.95, name="many")
    tables = [(table(NI, few), few), (table(NI, many), many)][::order]
    assert frame_of(*tables).loc[NI]["n"] == 3


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("claim", "measured", "chosen"),
    [
        (COPIED, {"": (0.91,) * 3, "di-paper": (0.92,)}, "di-paper"),
        (COPIED, {"": (0.91,)}, ""),
        (OWN, {"": (0.91,), "di-paper": (0.92,) * 3, "di-better": (0.93,) * 3}, ""),
        (OWN, {"di-paper": (0.92,), "di-better": (0.93,)}, "di-better"),
    ],
    ids=["the paper's variant", "not run", "of no variant", "variants alone"],
)
def test_of_a_methods_variants_one_is_compared_and_named(
    claim: str, measured: dict[str, Sequence[float]], chosen: str, order: int
) -> None:
    """DI's own paper has settings of its own; what others re-made is of the plain method."""
    cells = list(measured.items())[::order]
    made = [students(*values, name=f"{name or 'di'}-") for name, values in cells]
    columns = [Column(name or "di", name, "method", "test_accuracy", unit="%") for name, _ in cells]
    alone = table(claim, [record("", {})] * 3)
    keys = [[one.key for one in found] for found in made]
    row = Row(
        "r",
        {"Row": "r"},
        {
            column.id: TableCell(own, claim, variant=name)
            for column, own, (name, _) in zip(columns, keys, cells, strict=True)
        },
    )
    both = msgspec.structs.replace(alone, columns=columns, rows=[row])
    line = frame_of((both, [one for found in made for one in found])).loc[claim]
    assert line["measured"] == pytest.approx(100 * measured[chosen][0])
    assert ("measured with" in line["reason"]) == bool(chosen)
    assert line["reason"].endswith(f"measured with {chosen}" if chosen else f"n = {line['n']}")
