"""Table 3: what tells its rows apart is the component alone, not a clamp that comes with it."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.engine.cell import Cell
from benchmarks.recipes.methods import build_method
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import read_table
from naturalinversion.classifiers import build
from naturalinversion.seeds import seeded
from naturalinversion.synthesis import Training, balanced_labels
from naturalinversion.teacher.teacher import Teacher
from reports.tables.layout import Table
from reports.tables.measured import lines_of, measured_frame

WITHOUT_SCALING = ("ni[generator]", "ni[o2o]", "ni[o2o+ftp]")
SCALED = tuple(f"{row}-scale5" for row in WITHOUT_SCALING)
LOUD = 20.0  # what is multiplied to the last layers, to see whether anything holds pixels back


@cache
def planned() -> tuple[Table, dict[str, Cell]]:
    """The table at scale demo, and the images' cell of every row of NaturalInversion."""
    found = expand(read_table("table3"), Recipes("demo", "digits"), [0])
    cells = {cell.key: cell for cell in found.targets}
    (table,) = found.tables
    images = {
        row.id: cells[row.cells["fid"].records[0]].inputs["images0"]
        for row in table.rows
        if row.id != "di"
    }
    return table, images


def pixels(row: str) -> Tensor:
    """A batch as the row's generator and pyramid render it, with last layers made loud."""
    settings: dict[str, Any] = dict(planned()[1][row].recipe["settings"])
    method = build_method("ni", settings | {"one_to_one": True})
    with seeded(0):
        network = build("resnet18", 10, 0.125).eval()
    method.prepare(Teacher(network, num_classes=10, image_shape=(3, 16, 16)), None, 0, Training())
    source = method.source(balanced_labels(10, 10, 0), 0)
    with torch.no_grad():
        for name, weight in source.state_dict(keep_vars=True).items():
            if weight.shape[:1] == (3,) and name.endswith("weight"):
                weight *= LOUD
        image: Tensor = source.render(None)
    return image


@pytest.mark.parametrize("row", WITHOUT_SCALING)
def test_without_scaling_no_row_is_clamped(row: str) -> None:
    """Else the pyramid would come with a clamp to one deviation, and could only lose."""
    assert pixels(row).abs().max() > 5


@pytest.mark.parametrize("row", SCALED)
def test_beside_them_stand_rows_with_the_mean_that_the_scale_starts_from(row: str) -> None:
    largest = float(pixels(row).abs().max())
    assert 4.5 < largest <= 5
    assert planned()[1][row].recipe["settings"]["channel_scaling"] is False


def test_only_the_rows_as_published_have_the_papers_numbers() -> None:
    table, _ = planned()
    lines = [line for line in lines_of(measured_frame(table, {})) if line["column"] == "fid"]
    published = {line["row"]: line["published"] for line in lines if line["claim"]}
    assert published.keys() == {"di", *WITHOUT_SCALING, "ni[o2o+acs]", "ni[o2o+ftp+acs]"}
    assert published["ni[o2o+ftp]"] == 63.36
    assert {line["row"] for line in lines} == {*published, *SCALED}


@pytest.mark.parametrize("table", ["table3", "figure5"])
def test_a_generator_for_all_batches_is_trained_on_a_batch_of_the_scale(table: str) -> None:
    """Its channel scaling has a factor for each image of a batch."""
    found = expand(read_table(table), Recipes("small", "cifar10"), [0])
    recipes = [cell.recipe for cell in found.targets if cell.kind == "synthesis"]
    recipes += [cell.inputs["images0"].recipe for cell in found.targets if "images0" in cell.inputs]
    shared = [each for each in recipes if each["settings"].get("one_to_one") is False]
    assert shared
    assert {each["settings"]["shared_batch"] for each in shared} == {128}
