"""The study of iterations: shares of a recipe's budget become its cells, at any scale."""

from collections import Counter

import pytest

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table


def study(scale: str) -> PlannedTable:
    return expand(read_table("iterations"), Recipes(scale, "cifar10"), [0])


@pytest.mark.parametrize(("scale", "whole"), [("demo", 85), ("paper", 2000)])
def test_shares_are_of_the_recipes_iterations(scale: str, whole: int) -> None:
    cells = [cell for cell in study(scale).targets if cell.kind == "synthesis"]
    found = {cell.recipe["settings"]["iterations"] for cell in cells}
    assert found == {round(share * whole) for share in (0.1, 0.2, 0.5, 1, 2, 4)}
    assert {cell.recipe["settings"]["schedule"] for cell in cells} == {"constant", "cosine"}
    assert {cell.recipe["settings"]["plateau"] for cell in cells} == {0.0, 0.05}


def test_the_whole_budget_is_the_cell_of_the_papers_tables() -> None:
    table = expand(read_table("table5"), Recipes("demo", "cifar10"), [0], methods=["ni"])
    keys = {cell.key for cell in table.targets}
    assert keys & {cell.key for cell in study("demo").targets if cell.kind == "distillation"}


def test_its_figure_has_a_line_for_each_schedule_and_both_recipes_iterations() -> None:
    (table,) = study("demo").tables
    (figure,) = table.figures
    series = Counter(row.series for row in table.rows)
    assert list(series)[:3] == ["DI", "DI, cosine", "DI, to the plateau"]
    assert list(series.values()) == [6, 4, 1] * 2
    assert figure.marks == {"the recipe's iterations": 85, "published iterations": 2000}
    assert len(figure.panels) == 4
