"""Metrics in two columns: of pixels as the released code saves them, and as the teacher saw."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from benchmarks.engine.cell import Cell
from benchmarks.recipes.overrides import SCALES
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError
from reports.published import published
from reports.tables.layout import Table
from reports.tables.notes import directions

SAVED, SEEN = "as the released code saves", "as the teacher saw"


def expanded(
    name: str, scale: str, *overrides: str, dataset: str = "cifar10", rows: Sequence[str] = ()
) -> PlannedTable:
    return expand(read_table(name), Recipes(scale, dataset, overrides), [0], rows=rows)


def pixels_of(table: Table, cells: Sequence[Cell], row: str, column: str) -> str:
    """What the cell of one number makes of its images."""
    (own,) = [one for one in table.rows if one.id == row]
    (key,) = own.cells[column].records
    (cell,) = {cell.key: cell for cell in cells if cell.key == key}.values()
    found: str = cell.recipe["images"]["pixels"]
    return found


@pytest.mark.parametrize("scale", [scale for scale in SCALES if scale != "demo"])
def test_every_metric_has_two_columns_and_the_published_number_stands_beside_the_first(
    scale: str,
) -> None:
    found = expanded("table1", scale)
    table = found.tables[0]
    titles = ("IS", "FID", "Precision", "Recall", "KID ×10³", "PRD F8", "PRD F1/8")  # noqa: RUF001
    assert [column.title for column in table.columns] == [
        f"{title}, {reading}" for title in titles for reading in (SAVED, SEEN)
    ]
    for row in ("di", "ni"):
        assert pixels_of(table, found.targets, row, "fid") == "minmax"
        assert pixels_of(table, found.targets, row, "fid_denormalize") == "denormalize"
    (ni,) = [row for row in table.rows if row.id == "ni"]
    claimed = {name for name, cell in ni.cells.items() if cell.claim in published()}
    assert claimed == {"is", "fid", "precision", "recall"}
    assert published()[ni.cells["fid"].claim].value == 76.04
    assert SEEN.lower() in table.caption.lower()
    assert directions(table).startswith("IS, Precision, Recall, PRD F8, PRD F1/8: higher is better")


def test_what_was_pixels_has_one_number_for_both_columns() -> None:
    found = expanded("table1", "mini")
    for name in ("wgan_gp", "real"):
        tables_of = [t for t in found.tables if name in {row.id for row in t.rows}]
        (row,) = [row for row in tables_of[0].rows if row.id == name]
        assert len({cell.records[0] for cell in row.cells.values()}) == 1
        assert pixels_of(tables_of[0], found.targets, name, "fid") == "own"


def test_a_table_of_real_images_alone_has_no_second_columns() -> None:
    _, floor = expanded("table1", "paper").tables
    assert [row.id for row in floor.rows] == ["real"]
    assert [column.title for column in floor.columns][:2] == ["IS", "FID"]
    assert SEEN.lower() not in floor.caption.lower()


def test_at_demo_there_is_one_column_and_it_says_of_what() -> None:
    (table,) = expanded("table1", "demo").tables
    assert [column.title for column in table.columns][:2] == ["IS", "FID"]
    assert {column.detail for column in table.columns} == {
        f"efficientnet-lite0, 300 images, {SEEN}"
    }


def test_other_measurements_of_a_table_stay_alone() -> None:
    (table,) = expanded("table3", "paper", dataset="cifar100").tables
    students = [column for column in table.columns if column.metric == "test_accuracy"]
    assert [column.title for column in students] == ["Student"]
    assert len(table.columns) == 1 + 2 * 7
    (study,) = expanded("padding", "mini").tables
    assert [column.id for column in study.columns] == [c.id for c in read_table("padding").columns]


@pytest.mark.parametrize(
    ("chosen", "columns"),
    [
        ("denormalize", ["fid_early", "fid"]),
        ('["minmax"]', ["fid_early", "fid"]),
        (
            '["denormalize", "minmax"]',
            ["fid_early", "fid_early_minmax", "fid", "fid_minmax"],
        ),
    ],
)
def test_the_protocol_chooses_columns_and_their_order(chosen: str, columns: list[str]) -> None:
    found = expanded("table4", "demo", f"protocol.fidelity.pixels={chosen}")
    (table,) = found.tables
    assert [column.id for column in table.columns] == columns
    first = "minmax" if chosen.startswith('["minmax') else "denormalize"
    assert pixels_of(table, found.targets, "ni[all]", "fid") == first


@pytest.mark.parametrize("chosen", ["other", "[]", '["minmax", "minmax"]', '["minmax", "other"]'])
def test_a_list_that_makes_no_sense_is_one_line(chosen: str) -> None:
    with pytest.raises(UsageError, match=r"^recipe protocol: .*fidelity") as caught:
        Recipes("demo", "cifar10", [f"protocol.fidelity.pixels={chosen}"])
    assert "\n" not in str(caught.value)


def test_rows_of_one_column_are_judged_alike() -> None:
    spec = read_table("table1")
    rows = [
        replace(row, protocol={"fidelity.pixels": ["minmax", "denormalize"]})
        if row.method == "di"
        else row
        for row in spec.rows
    ]
    with pytest.raises(UsageError, match="table1: rows of column is are judged in unlike pixels"):
        expand(replace(spec, rows=rows), Recipes("demo", "cifar10"), [0])


def test_against_the_test_images_the_reference_is_of_training_images() -> None:
    found = expanded("table1", "paper", "protocol.fidelity.reference=test")
    (table,) = found.tables  # there are as many training images as are judged
    (reference,) = [row for row in table.rows if row.id == "real"]
    assert reference.label == "Real training images (reference)"
    assert all("against the test images" in column.detail for column in table.columns)
    judged = [cell for cell in found.targets if cell.kind == "fidelity"]
    assert {cell.recipe["fidelity"]["reference"] for cell in judged} == {"test"}
    usual = expanded("table4", "mini").tables[-1]
    assert usual.rows[-1].label == "Real test images (reference)"
