"""The study of how many images: its rows are numbers of images, and fewer are among the more."""

import pytest

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError


def study(scale: str) -> PlannedTable:
    return expand(read_table("images"), Recipes(scale, "cifar10"), [0])


def test_rows_are_what_the_scale_has_and_all_of_it() -> None:
    found = {scale: [row.x for row in study(scale).tables[0].rows] for scale in ("demo", "small")}
    assert found == {"demo": [250, 300], "small": [250, 500, 1000, 2000, 2560]}
    (table,) = study("small").tables
    assert [row.label for row in table.rows][-2:] == ["2,000", "2,560"]


def test_a_row_of_more_images_than_are_made_is_refused_where_it_is_asked_for() -> None:
    with pytest.raises(UsageError, match="images: 2000-images is a row of 2,000 images, and 300 "):
        expand(read_table("images"), Recipes("demo", "cifar10"), [0], rows=["all", "2000-images"])


def test_rows_are_no_more_than_the_methods_make_that_are_chosen() -> None:
    def chosen(*rows: str) -> PlannedTable:
        recipes = Recipes("small", "cifar10", ["di.batches=8"])
        return expand(read_table("images"), recipes, [0], methods=["di"], rows=rows)

    assert [row.x for row in chosen("1000-images", "all").tables[0].rows] == [1000, 1024]
    real = [cell for cell in chosen("all").targets if not cell.recipe["images"]["batches"]]
    assert [cell.recipe["images"]["count"] for cell in real] == [1024]
    with pytest.raises(UsageError, match="2000-images is a row of 2,000 images, and 1,024 are"):
        chosen("2000-images")


def test_methods_of_unlike_numbers_share_rows_of_so_many_but_not_all() -> None:
    recipes = Recipes("small", "cifar10", ["di.batches=8"])
    expand(read_table("images"), recipes, [0], rows=["1000-images"])
    with pytest.raises(UsageError, match=r"row all: .* di makes 1,024 and ni 2,560: choose"):
        expand(read_table("images"), recipes, [0])


def test_all_rows_read_the_same_images_the_fewer_of_fewer_cells() -> None:
    cells = [cell for cell in study("small").targets if cell.recipe["images"]["batches"]]
    first = {cell.inputs["images0"].key for cell in cells}
    assert len(first) == 2  # of DI and of NI
    counts = sorted({(len(cell.inputs) - 1, cell.recipe["images"]["count"]) for cell in cells})
    assert counts == [(1, 250), (1, 500), (2, 1000), (4, 2000), (4, 2560)]


def test_real_images_are_as_many() -> None:
    cells = [cell for cell in study("small").targets if not cell.recipe["images"]["batches"]]
    assert [cell.recipe["images"]["count"] for cell in cells] == [250, 500, 1000, 2000, 2560]


def test_all_images_are_the_cell_of_table_5() -> None:
    recipes = Recipes("small", "cifar10")
    table = expand(read_table("table5"), recipes, [0], methods=["ni"], rows=["vgg11-resnet18"])
    assert {cell.key for cell in table.targets} & {cell.key for cell in study("small").targets}
