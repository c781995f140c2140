"""The table of eight methods: pairs, controls, agreement, and what was published."""

import pytest

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError
from reports.published import find_published

OUTSIDE = "contract_methods:FromOutside"
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


def made_for(*sets: str, methods: list[str], row: str = "resnet34-resnet18") -> dict[str, int]:
    """How many images the students of methods and controls learn from."""
    recipes = Recipes("demo", "digits", sets)
    found = expand(read_table("rivals"), recipes, [0], methods=methods, rows=[row])
    (table,) = found.tables
    names = [column.id for column in table.columns if not column.group and column.id != "teacher"]
    return {name: cells(found, name)[0].recipe["images"]["count"] for name in names}


@pytest.mark.parametrize(
    ("sets", "methods", "images"),
    [
        (["di.batches=1"], ["di"], 100),
        (["ni.batch_size=40"], ["ni"], 120),
        (["di.batches=5", "ni.batches=5"], ["di", "ni"], 500),
        ([f"{OUTSIDE}.batches=4"], [OUTSIDE], 400),
        (["protocol.batches=2"], [OUTSIDE], 200),
    ],
)
def test_controls_are_as_many_as_the_methods_make_whatever_is_set(
    sets: list[str], methods: list[str], images: int
) -> None:
    found = made_for(*sets, methods=methods)
    assert found.pop("real_all") > 1000
    assert found == dict.fromkeys([*methods, "real", "noise"], images)


def test_a_budget_of_noise_that_is_set_stands() -> None:
    found = made_for("noise.batches=2", methods=["di"])
    assert (found["di"], found["real"], found["noise"]) == (300, 300, 200)


@pytest.mark.parametrize(
    ("sets", "methods", "says"),
    [
        (["di.batches=1"], ["di", "ni"], "di makes 100 and ni 300"),
        (["di.batches=1"], ["di", OUTSIDE], f"di makes 100 and {OUTSIDE} 300"),
        (["protocol.batches=1"], ["di"], "protocol.batches: the recipe of di has its own: set di."),
        (["protocol.batch_size=50"], ["adi"], "protocol.batch_size: the recipe of adi has its own"),
        (["protocol.batches=3"], [OUTSIDE, "fast"], "set fast.batches"),
    ],
)
def test_what_would_make_the_controls_titles_wrong_is_one_line(
    sets: list[str], methods: list[str], says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        made_for(*sets, methods=methods)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pictures_of_noise_have_the_same_title_whatever_their_number() -> None:
    titles = []
    for sets in ([], ["di.batches=1"]):
        found = expand(read_table("rivals"), Recipes("demo", "digits", sets), [0], methods=["di"])
        titles.append([picture.title for picture in found.tables[0].pictures])
    assert titles[0] == titles[1]
