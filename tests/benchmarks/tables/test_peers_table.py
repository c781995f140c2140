"""The table of CMI and Fast-DFKD: the numbers of their READMEs, apart from the paper's."""

from typing import Any

import pytest

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table
from reports.published import notes, peers, published
from reports.tables.export import to_markdown
from reports.tables.measured import measured_frame


def planned(dataset: str = "cifar10", scale: str = "paper", **more: list[str]) -> PlannedTable:
    return expand(read_table("peers"), Recipes(scale, dataset), [0], **more)


def line(found: PlannedTable, row: str, column: str) -> dict[str, Any]:
    frame = measured_frame(found.tables[0], {})
    (one,) = frame[(frame["row"] == row) & (frame["column"] == column)].to_dict("records")
    return {str(name): value for name, value in one.items()}


def test_each_number_of_theirs_stands_in_one_place_and_is_no_claim_of_the_paper() -> None:
    claims = [
        cell.claim
        for dataset in ("cifar10", "cifar100")
        for row in planned(dataset).tables[0].rows
        for cell in row.cells.values()
    ]
    assert sorted(claims) == sorted(peers())
    assert not set(peers()) & set(published())
    assert all(number.source for number in peers().values())
    assert {number.note for number in peers().values()} - {""} <= set(notes())


@pytest.mark.parametrize(
    ("dataset", "row", "column", "value"),
    [
        ("cifar10", "wrn40_2-wrn16_1", "cmi", 90.01),
        ("cifar10", "wrn40_2-wrn16_2", "teacher", 94.87),
        ("cifar100", "resnet34-resnet18", "fast-2", 69.76),
        ("cifar100", "wrn40_2-wrn40_1", "fast-10", 63.91),
        ("cifar100", "wrn40_2-wrn16_1", "student", 65.31),
    ],
)
def test_published_numbers_stand_beside_ours(
    dataset: str, row: str, column: str, value: float
) -> None:
    assert line(planned(dataset), row, column)["published"] == value


def test_it_says_whose_numbers_these_are() -> None:
    table = planned().tables[0]
    text = to_markdown(table, measured_frame(table, {}))
    assert (
        "Published: the READMEs of CMI and Fast-DFKD, single runs, best epoch, for CIFAR-10" in text
    )
    assert "Of another VGG-11" in text
    assert "without them 88.82" in text
    assert "the paper's numbers" not in text


@pytest.mark.parametrize(
    ("name", "steps", "of_generator", "of_latents"),
    [("fast-2", 2, 5e-3, 0.015), ("fast", 5, 3e-3, 0.01), ("fast-10", 10, 2e-3, 0.01)],
)
def test_published_presets_of_fast(
    name: str, steps: int, of_generator: float, of_latents: float
) -> None:
    recipe = Recipes("paper", "cifar100").resolve("resnet34").method(name)
    assert (recipe.batches, recipe.batch_size) == (220, 256)
    expected = {
        **{"inner_steps": steps, "rate_generator": of_generator, "rate_latent": of_latents},
        **{"adversarial": 1.33, "cross_entropy": 0.5, "bn_statistics": 10.0, "epochs": 220},
        **{"warmup": 20, "rate_student": 0.2, "rate_student_end": 2e-4, "student_steps": 400},
    }
    assert {key: recipe.settings[key] for key in expected} == expected


def test_presets_that_depend_on_the_teacher() -> None:
    paper = Recipes("paper", "cifar10")
    of_wide = paper.resolve("wrn40_2").method("fast-2").settings
    assert (of_wide["adversarial"], of_wide["cross_entropy"]) == (1.1, 0.4)
    assert paper.resolve("vgg11").method("fast-10").settings["adversarial"] == 1.0
    assert paper.resolve("resnet34").method("cmi").settings["taps"] == "stages"
    assert paper.resolve("vgg11").method("cmi").settings["taps"] == "batch norms"


@pytest.mark.parametrize("scale", ["demo", "mini", "paper"])
@pytest.mark.parametrize("dataset", ["digits", "cifar10", "cifar100"])
def test_a_recipes_batches_are_the_epochs_of_its_schedule(scale: str, dataset: str) -> None:
    for teacher in ("", "resnet34", "vgg11", "wrn40_2"):
        for name in ("cmi", "fast-2", "fast", "fast-10"):
            recipe = Recipes(scale, dataset).resolve(teacher).method(name)
            assert recipe.batches == recipe.settings["epochs"]


def test_all_batches_of_one_are_a_single_cell_whatever_the_chunk() -> None:
    for method in ("cmi", "fast"):
        recipes = Recipes("paper", "cifar10", ["protocol.chunk=10"])
        found = expand(
            read_table("peers"), recipes, [0], methods=[method], rows=["resnet34-resnet18"]
        )
        made = {
            cell.key: cell
            for target in found.targets
            for cell in target.inputs.values()
            if cell.kind == "synthesis"
        }
        (cell,) = made.values()
        assert cell.recipe["batches"] >= 200
