"""Every table and figure of the paper: its cells, its layout, and the published numbers in it."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine.cell import with_inputs
from benchmarks.recipes.overrides import SCALES
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table, tables
from naturalinversion.errors import UsageError
from reports.published import published
from reports.tables import table_files
from reports.tables.layout import Table
from reports.tables.measured import measured_frame

#: Tables, scales and data; demo makes fewer images than any row of split has, small has no digits.
PLACES = [
    (table, scale, dataset)
    for table in tables()
    for scale in SCALES
    for dataset in ("digits", "cifar10", "cifar100")
    if (table, scale) != ("split", "demo") and (scale, dataset) != ("small", "digits")
]
PAPER = [name for name in tables() if read_table(name).in_paper]


@cache
def expanded(
    table: str, dataset: str = "digits", scale: str = "demo", *overrides: str
) -> PlannedTable:
    """Nothing of it is changed by a test, so each is made once."""
    return expand(read_table(table), Recipes(scale, dataset, overrides), [0])


def part(table: str, **chosen: list[str]) -> PlannedTable:
    """Some of its rows or methods."""
    return expand(read_table(table), Recipes("demo", "digits"), [0], **chosen)


def test_every_table_and_figure_is_there() -> None:
    assert [*(f"figure{n}" for n in range(2, 7)), *(f"table{n}" for n in range(1, 6))] == PAPER


@pytest.mark.parametrize(("table", "scale", "dataset"), PLACES)
def test_it_expands_into_cells_and_a_table_that_can_be_kept(
    table: str, scale: str, dataset: str, tmp_path: Path
) -> None:
    found = expanded(table, dataset, scale)
    keys = {cell.key for cell in with_inputs(found.targets)}
    for made in found.tables:
        path = tmp_path / f"{made.id}.json"
        table_files.write(path, made)
        assert table_files.read(path) == made
        columns = {column.id for column in made.columns}
        assert len(columns) == len(made.columns)
        for row in made.rows:
            assert set(row.cells) == columns
            assert {key for cell in row.cells.values() for key in cell.records} <= keys
        assert {picture.record for picture in made.pictures} <= keys
        for figure in made.figures:
            if figure.type == "tradeoff":
                assert {figure.x, *figure.panels} <= columns


def test_every_measurable_published_number_has_its_cell() -> None:
    """All but the text's remarks: each stands in exactly one place of its table."""
    claims = [
        cell.claim
        for table in PAPER
        for dataset in ("cifar10", "cifar100")
        for made in expanded(table, dataset, "paper").tables
        if made.on_published_data
        for row in made.rows
        for cell in row.cells.values()
        if cell.claim in published()
    ]
    assert len(claims) == len(set(claims))
    left = set(published()) - set(claims)
    assert {identity.split("/")[0] for identity in left} == {"text", "figure6"}
    assert [i for i in left if i.startswith("figure6")] == [
        "figure6/-/resnet34/-/ni/pruning_gain_at_0.9"
    ]
    assert len(claims) == 177


def shown(table: Table, row: str, column: str) -> dict[str, Any]:
    """The line of one number."""
    frame = measured_frame(table, {})
    (line,) = frame[(frame["row"] == row) & (frame["column"] == column)].to_dict("records")
    return {str(name): value for name, value in line.items()}


def test_a_number_stands_in_the_cell_that_it_belongs_to() -> None:
    (table3,) = expanded("table3", "cifar100", "paper").tables
    assert shown(table3, "ni[o2o+acs]", "fid")["published"] == 65.34
    assert shown(table3, "ni[o2o+acs]", "student")["published"] == 59.42
    assert not shown(table3, "ni[o2o+acs]", "kid")["claim"]
    (table5,) = expanded("table5", "cifar100", "paper").tables
    found = shown(table5, "vgg16-mobilenetv2", "dafl")
    assert (found["published"], found["reimplemented"]) == (9.0, True)


def test_what_two_tables_need_is_one_cell() -> None:
    def keys(table: str) -> set[str]:
        return {cell.key for cell in with_inputs(expanded(table).targets)}

    five = keys("table5")
    assert {cell.key for cell in expanded("table3").targets if cell.kind == "distillation"} & five
    for table in ("table1", "table2", "table4", "figure2", "figure3", "figure4", "figure5"):
        assert keys(table) & five, table
    assert keys("figure3") <= five
    assert keys("figure2") <= five


def test_the_ablation_turns_one_switch_after_the_other() -> None:
    settings = {
        cell.recipe["settings"]["one_to_one"]: cell
        for cell in with_inputs(expanded("table3").targets)
        if cell.kind == "synthesis" and cell.recipe["method"] == "ni"
    }
    assert set(settings) == {True, False}
    alone = settings[False].recipe["settings"]
    assert (alone["pyramid"], alone["channel_scaling"]) == (False, False)


@pytest.mark.parametrize("scale", ["demo", "mini", "paper"])
def test_a_shared_generator_scales_as_many_images_as_its_batches_have(scale: str) -> None:
    """Else its batches are refused once it has been trained."""
    made = [
        cell for table in PAPER for cell in with_inputs(expanded(table, "cifar10", scale).targets)
    ]
    shared = [
        cell.recipe
        for cell in made
        if cell.kind == "synthesis" and not cell.recipe["settings"].get("one_to_one", True)
    ]
    assert shared
    for recipe in shared:
        assert recipe["settings"]["shared_batch"] == recipe["batch_size"]


def test_heads_say_extractor_and_number_of_images() -> None:
    (demo,) = expanded("table1").tables
    assert {column.detail for column in demo.columns} == {
        "efficientnet-lite0, 300 images, as the teacher saw"
    }
    paper, floor = expanded("table1", "cifar10", "paper").tables
    assert {c.detail for c in paper.columns} == {"inception-v3-compat, 50,000 images"}
    assert {c.detail for c in floor.columns} == {"inception-v3-compat, 10,000 images"}
    assert [row.id for row in floor.rows] == ["real"], "ten thousand test images are all there are"


def test_unlike_numbers_of_images_get_a_table_of_their_own() -> None:
    found = expanded("table1", "digits", "demo", "ni.batches=2")
    assert [made.id for made in found.tables] == ["table1", "table1-n200"]


def test_a_method_from_outside_can_take_part_as_column_or_row() -> None:
    outside = "contract_methods:FromOutside"
    columns = part("table2", methods=["di", outside]).tables[0].columns
    assert [c.id for c in columns] == ["di", outside, "di-test", f"{outside}-test"]
    rows = part("table1", methods=["ni", outside]).tables
    assert [row.id for made in rows for row in made.rows if row.role == "method"] == ["ni", outside]


def test_a_choice_that_makes_no_sense_is_one_line() -> None:
    with pytest.raises(UsageError, match="named twice"):
        part("accuracy", methods=["di", "di"])
    with pytest.raises(UsageError, match="unknown row"):
        part("table4", rows=["f9"])


def test_a_baseline_that_is_named_among_methods_stands_there_once() -> None:
    found = expand(read_table("table1"), Recipes("demo", "cifar10"), [0], methods=["di", "real"])
    assert [row.id for made in found.tables for row in made.rows] == ["di", "wgan_gp", "real"]


@pytest.mark.parametrize(("table", "row"), [("table1", "real"), ("table4", "real")])
def test_a_reference_can_stand_alone(table: str, row: str) -> None:
    found = part(table, rows=[row])
    assert [r.id for made in found.tables for r in made.rows] == [row]


def test_methods_that_are_not_ranked_can_be_chosen_too() -> None:
    columns = part("figure4", methods=["dafl", "ni"]).tables[0].columns
    assert [column.id for column in columns] == ["dafl", "ni"]
