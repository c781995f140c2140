"""Variants of a recipe: other presets of a method, asked for by name like a method."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.evaluation.tsne import metric_of
from benchmarks.recipes import resolved
from benchmarks.recipes.methods import method_class
from benchmarks.recipes.overrides import SCALES
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement, read_table
from naturalinversion.errors import UsageError
from reports.published import paper_notes, published
from reports.tables.measured import lines_of, measured_frame

PAPER = {"rate": 0.05, "total_variation": 2.5e-5}
BETTER = {"rate": 0.1, "total_variation": 1e-3}


@pytest.mark.parametrize("name", ["di", "adi"])
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_both_published_presets_have_a_name(name: str, dataset: str) -> None:
    recipes = Recipes("paper", dataset).resolve("resnet34")
    better, paper = recipes.method(name), recipes.method(f"{name}-paper")
    assert {key: better.settings[key] for key in BETTER} == BETTER
    assert paper.settings == better.settings | PAPER
    assert (paper.method, paper.name) == (name, f"{name}-paper")
    assert (better.method, better.name) == (name, name)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("teacher", ["resnet34", "vgg11"])
def test_a_variant_differs_in_its_own_settings_alone(scale: str, teacher: str) -> None:
    """Also where the scale or the teacher has a value for one of them."""
    recipes = Recipes(scale, "cifar10").resolve(teacher)
    own = PAPER | ({"total_variation": 3.5e-5} if scale == "small" else {})  # for half the batch
    for name in ("di", "adi"):
        plain, variant = recipes.method(name), recipes.method(f"{name}-paper")
        same = msgspec.structs.replace(
            variant,
            name=plain.name,
            title=plain.title,
            rounds=plain.rounds,
            settings=variant.settings | {key: plain.settings[key] for key in PAPER},
        )
        assert same == plain
        assert {key: variant.settings[key] for key in PAPER} == own


def test_adi_as_in_the_paper_starts_from_such_images() -> None:
    pipeline = Pipeline(Recipes("paper", "cifar10").resolve("resnet34"), 0)
    cells = {
        name: [c for c, _ in pipeline.images(Measurement(method=name, student="vgg11")).parts]
        for name in ("di-paper", "adi-paper")
    }
    start, *rounds = cells["adi-paper"]
    assert start.key == cells["di-paper"][0].key
    assert "di-paper" in start.label
    assert {cell.recipe["method"] for cell in rounds} == {"adi"}
    assert all("adi-paper" in cell.label for cell in rounds)
    assert {cell.recipe["settings"]["rate"] for cell in rounds} == {0.05}


def test_a_variant_is_its_method_with_values_set_by_hand() -> None:
    """The same cell, whichever way it was asked for."""
    by_hand = [f"di.settings.{key}={value}" for key, value in PAPER.items()]
    asked = Measurement(method="di", student="vgg11")
    one = Pipeline(Recipes("demo", "digits", by_hand).resolve("resnet34"), 0).student(asked)
    variant = msgspec.structs.replace(asked, method="di-paper")
    other = Pipeline(Recipes("demo", "digits").resolve("resnet34"), 0).student(variant)
    assert one.key == other.key


def test_an_override_is_for_the_name_that_it_gives() -> None:
    given = ["di.settings.iterations=7", "di-paper.settings.rate=0.2"]
    recipes = Recipes("demo", "digits", given).resolve()
    plain, variant = recipes.method("di").settings, recipes.method("di-paper").settings
    assert (plain["iterations"], plain["rate"]) == (7, 0.1)
    assert (variant["iterations"], variant["rate"]) == (85, 0.2)


@pytest.mark.parametrize("table", ["table5", "table1", "figure4"])
def test_tables_take_it_beside_its_method(table: str) -> None:
    found = expand(
        read_table(table), Recipes("paper", "cifar10"), [0], methods=["di", "di-paper"]
    ).tables[0]
    titles = {row.method for row in found.rows} | {column.method for column in found.columns}
    titles |= {column.title for column in found.columns}
    assert {"DI", "DI (paper's settings)"} <= titles
    assert all(cell.records for row in found.rows for cell in row.cells.values())


def test_numbers_of_several_sets_of_images_go_by_their_titles() -> None:
    """As the record of the t-SNE names them, with a method from outside too."""
    methods = ["di-paper", "ni_adi", "contract_methods:FromOutside"]
    (table,) = expand(read_table("figure4"), Recipes("demo", "digits"), [0], methods=methods).tables
    titles = [column.title for column in table.columns]
    for column, title in zip(table.columns, titles, strict=True):
        assert table.rows[0].cells[column.id].metric == metric_of(title, "block 1")


def test_the_published_number_stands_beside_both() -> None:
    """The variant's are the settings that it was made with."""
    methods = ["di", "di-paper", "adi", "adi-paper"]
    rows = ["resnet34-resnet18"]
    planned = expand(
        read_table("table5"), Recipes("paper", "cifar10"), [0], methods=methods, rows=rows
    )
    lines = lines_of(measured_frame(planned.tables[0], {}))
    published = {line["column"]: line["published"] for line in lines}
    assert [published[method] for method in methods] == [91.43, 91.43, 93.26, 93.26]
    cells = planned.tables[0].rows[0].cells
    assert [cells[method].variant for method in methods] == ["", "di-paper", "", "adi-paper"]
    assert [column for column in published if column.endswith("-loop")] == [
        "adi-loop",
        "adi-paper-loop",
    ]


def test_numbers_from_deepinversions_paper_are_of_variants_that_there_are() -> None:
    variants = paper_notes().variants
    found = {
        f"{number.method}-{variants[number.note]}"
        for number in published().values()
        if number.note in variants
    }
    recipes = Recipes("paper", "cifar10").resolve("resnet34")
    assert {recipes.method(name).name for name in found} == {"di-paper", "adi-paper"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("di-papre", "di-papre: the recipe of di has no such variant; it has di-paper"),
        ("ni-paper", "ni-paper: the recipe of ni has no such variant; it has none"),
        ("dj-paper", "unknown method 'dj-paper'"),
    ],
)
def test_an_unknown_variant_is_one_line(name: str, says: str) -> None:
    for ask in (
        lambda: Recipes("demo", "digits").resolve().method(name),
        lambda: expand(read_table("table5"), Recipes("demo", "digits"), [0], methods=[name]),
    ):
        with pytest.raises(UsageError) as caught:
            ask()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=name.split("-")[0]):
        Recipes("demo", "digits", [f"{name}.settings.iterations=3"])


def test_a_layer_for_a_variant_that_the_file_does_not_declare_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt one would never hold, and nothing would say so."""
    for file in resolved.FOLDER.glob("*.toml"):
        text = file.read_text().replace('variant = "paper"', 'variant = "papre"')
        (tmp_path / file.name).write_text(text)
    monkeypatch.setattr(resolved, "FOLDER", tmp_path)
    with pytest.raises(UsageError, match=r"variant 'papre': not in \[variants\]"):
        Recipes("demo", "digits").resolve().method("di")


def test_its_class_is_its_methods() -> None:
    assert method_class("adi-paper") is method_class("adi")
