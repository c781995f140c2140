"""The study of open questions: one thing is changed at a time, everything else is shared."""

from typing import Any

import pytest

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import Measurement, merged, read_table
from naturalinversion.errors import UsageError


@pytest.fixture(scope="module")
def records() -> dict[tuple[str, str], str]:
    """The cell's key of every row and column."""
    (table,) = expand(read_table("questions"), Recipes("demo", "cifar10"), [0]).tables
    found = [(row.id, column, cell) for row in table.rows for column, cell in row.cells.items()]
    return {(row, column): cell.records[0] for row, column, cell in found}


@pytest.fixture(scope="module")
def cells() -> dict[str, Cell]:
    """Cells by key."""
    targets = expand(read_table("questions"), Recipes("demo", "cifar10"), [0]).targets
    return {cell.key: cell for cell in targets}


def test_a_row_changes_one_thing(
    records: dict[tuple[str, str], str], cells: dict[str, Cell]
) -> None:
    rows = {row for row, _ in records}
    assert len(rows) == 7
    base = {column: cells[key] for (row, column), key in records.items() if row == "protocol"}
    changed: dict[str, Any] = {
        "temperature-1": {"temperature": 1.0},
        "temperature-20": {"temperature": 20.0},
        "no-factor": {"temperature_squared": False},
        "temperature-20-no-factor": {"temperature": 20.0, "temperature_squared": False},
        "clamped": {"student_pixels": "denormalize"},
        "minmax": {"student_pixels": "minmax"},
    }
    for name, difference in changed.items():
        for method in ("di", "ni"):
            column = f"{method}_student"
            cell = cells[records[name, column]]
            recipe = {**cell.recipe, "student_pixels": cell.recipe["images"]["pixels"]}
            plain = {**base[column].recipe, "student_pixels": "stored"}
            recipe["images"] = recipe["images"] | {"pixels": "stored"}
            assert recipe == plain | difference
            assert cell.inputs == base[column].inputs


@pytest.mark.parametrize(("scale", "teacher"), [("demo", "resnet34"), ("small", "vgg11")])
def test_another_padding_is_another_teacher_trained_alike(scale: str, teacher: str) -> None:
    """Also where a ready one, whose training was longer, takes part in other tables."""
    recipes = Recipes(scale, "cifar10")
    (table,) = expand(read_table("padding"), recipes, [0], teacher=teacher).tables
    found = expand(read_table("padding"), recipes, [0], teacher=teacher).targets
    cells = {cell.key: cell for cell in found}
    black, reflect = (
        cells[row.cells["ni_student"].records[0]].inputs["teacher"] for row in table.rows
    )
    assert black.recipe["training"].pop("padding") == "zeros"
    assert reflect.recipe["training"].pop("padding") == "reflect"
    assert black.recipe == reflect.recipe


def test_pixels_of_a_column_are_its_own() -> None:
    found = expand(read_table("padding"), Recipes("demo", "cifar10"), [0])
    cells = {cell.key: cell for cell in found.targets}
    (table,) = found.tables
    assert [row.id for row in table.rows] == ["black", "reflect"]
    for row in table.rows:
        asked = {column: cells[cell.records[0]] for column, cell in row.cells.items()}
        pixels = {c: cell.recipe.get("images", {}).get("pixels") for c, cell in asked.items()}
        assert pixels["ni_fid"] == pixels["ni_frame"] == "denormalize"
        assert pixels["ni_fid_minmax"] == "minmax"
        teacher = asked.pop("teacher")
        images = [cell.inputs.get("images0", cell) for cell in asked.values()]
        assert {cell.inputs["teacher"].key for cell in images} == {teacher.key}


def test_switches_of_table_row_and_column_are_put_together() -> None:
    row = Measurement(protocol={"temperature": 1.0, "chunk": 5})
    column = Measurement(protocol={"chunk": 6}, settings={"jitter": 0})
    found = merged(Measurement(), row, column)
    assert found.protocol == {"temperature": 1.0, "chunk": 6}
    assert found.settings == {"jitter": 0}


@pytest.mark.parametrize(
    ("key", "value"), [("no_such_key", 1), ("temperature", "hot"), ("fidelity.pixels", "other")]
)
def test_a_wrong_switch_is_one_line(key: str, value: object) -> None:
    with pytest.raises(UsageError, match="recipe protocol: "):
        Recipes("demo", "cifar10").resolve("", {key: value})


def test_pictures_have_titles_of_their_own() -> None:
    (table,) = expand(read_table("padding"), Recipes("demo", "cifar10"), [0]).tables
    titles = [picture.title for picture in table.pictures]
    assert len(set(titles)) == len(titles) == 4
    assert "DI, reflecting padding: ResNet-34" in titles
