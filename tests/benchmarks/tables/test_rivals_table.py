"""The table of eight methods: pairs, controls, agreement, and what was published."""

import pytest

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError
from reports.published import find_published

METHODS = ["dafl", "dfad", "di", "adi", "ni", "ni_adi", "cmi", "fast"]


def planned(dataset: str = "digits", scale: str = "demo", **more: list[str]) -> PlannedTable:
    return expand(read_table("rivals"), Recipes(scale, dataset), [0], **more)


def cells(found: PlannedTable, column: str) -> list[Cell]:
    """The cells of a column, a row each."""
    by_key = {cell.key: cell for cell in found.targets}
    return [by_key[row.cells[column].records[0]] for row in found.tables[0].rows]


def test_eight_methods_on_three_pairs_with_accuracy_and_agreement_of_the_same_cells() -> None:
    (table,) = planned().tables
    assert [row.id for row in table.rows] == [
        "resnet34-resnet18",
        "vgg11-resnet18",
        "wrn40_2-wrn16_1",
    ]
    by_group: dict[str, list[str]] = {}
    for column in table.columns:
        by_group.setdefault(column.group, []).append(column.id)
    assert by_group[""] == ["teacher", *METHODS, "real_all", "real", "noise"]
    assert by_group["agreement"] == [f"{name}-agreement" for name in by_group[""][1:]]
    for row in table.rows:
        for name in by_group[""][1:]:
            assert row.cells[name].records == row.cells[f"{name}-agreement"].records
    metrics = {column.metric for column in table.columns if column.group}
    assert metrics == {"student_teacher_agreement"}


def test_controls_are_all_real_images_as_many_and_as_much_noise() -> None:
    found = planned("cifar10", "paper")
    counts = {
        name: {cell.recipe["images"]["count"] for cell in cells(found, name)}
        for name in ("real_all", "real", "noise", "di")
    }
    assert counts == {"real_all": {50_000}, "real": {50_000}, "noise": {256_000}, "di": {256_000}}
    small = planned()
    assert {cell.recipe["images"]["count"] for cell in cells(small, "real")} == {300}
    assert {cell.recipe["images"]["count"] for cell in cells(small, "noise")} == {300}
    (every,) = {cell.recipe["images"]["count"] for cell in cells(small, "real_all")}
    assert every > 1000
    trained = {
        str(cell.recipe["training"])
        for name in ("real_all", "real", "noise", "di")
        for cell in cells(small, name)
    }
    assert len(trained) == 1, "controls have the protocol of the students"


def test_chosen_methods_keep_the_controls() -> None:
    (table,) = planned(methods=["fast"], rows=["vgg11-resnet18"]).tables
    expected = ["teacher", "real_all", "real", "noise", "fast"]
    ids = [column.id for column in table.columns]
    assert [name for name in ids if "agreement" not in name] == expected
    assert "methods fast;" not in table.part
    assert table.part.endswith("methods fast")
    made = cells(planned(methods=["fast"]), "noise")
    assert {cell.inputs["images0"].recipe["method"] for cell in made} == {"noise"}


@pytest.mark.parametrize(
    ("column", "value"),
    [("ni", 93.72), ("cmi", 94.84), ("teacher", None), ("real", None)],
)
def test_published_numbers_stand_beside_those_that_have_one(
    column: str, value: float | None
) -> None:
    row = planned("cifar10", "paper").tables[0].rows[0]
    number = find_published(row.cells[column].claim)
    if column == "teacher":
        assert number is not None
    else:
        assert (number and number.value) == value


def test_a_misspelt_row_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown row 'wrn'"):
        planned(rows=["wrn"])
