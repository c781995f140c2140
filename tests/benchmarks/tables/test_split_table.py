"""The study of images or iterations: rows of one time have one product of both."""

import pytest

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import read_table
from naturalinversion.errors import UsageError


@pytest.mark.parametrize("scale", ["small", "mini", "paper"])
def test_rows_of_one_time_have_the_product_of_images_and_iterations_that_they_name(
    scale: str,
) -> None:
    for row in read_table("split").rows:
        time = row.images * row.iteration_fraction
        named = f"time of {time:,.0f} images"
        assert row.series.endswith(named)
        assert row.label == f"{row.series}: {row.iteration_fraction * 100:.0f} % of the iterations"
    (table,) = expand(read_table("split"), Recipes(scale, "cifar10"), [0]).tables
    shown = {row.id: row.labels["Images"] for row in table.rows}
    assert len(shown) == 14
    assert shown["di[50%]-1280-images"] == "1,280"


def test_rows_of_more_images_than_are_made_are_no_rows_of_fewer() -> None:
    with pytest.raises(UsageError, match="is a row of 2,560 images, and 300 are made here"):
        expand(read_table("split"), Recipes("demo", "cifar10"), [0])
