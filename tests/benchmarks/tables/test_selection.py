"""``--methods`` and ``--rows`` of every table: labels are of the method whose cells stand there."""

from typing import Any

import pytest

from baselines import METHODS, REFERENCES
from benchmarks.engine.cell import with_inputs
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table, tables
from naturalinversion.errors import UsageError
from reports.tables.layout import Table

NAMES = [*METHODS, *REFERENCES, "real"]
PAIRS = [["di", name] for name in NAMES if name != "di"] + [["cmi", "fast"], ["adi", "di"]]
TITLES = {name: Recipes("demo", "digits").title(name) for name in METHODS}


def planned(name: str, scale: str = "", dataset: str = "digits", **more: Any) -> PlannedTable:
    """At scale demo, or mini where that makes fewer images than any row has."""
    scale = scale or ("mini" if name == "split" else "demo")
    return expand(read_table(name), Recipes(scale, dataset), [0], **more)


def table(name: str, **more: Any) -> Table:
    (found,) = planned(name, **more).tables
    return found


def shown(name: str, methods: list[str]) -> list[Table]:
    """The tables of these methods; none where the answer is one line."""
    try:
        return planned(name, methods=methods).tables
    except UsageError:
        return []


@pytest.mark.parametrize("name", tables())
def test_any_methods_are_a_table_without_doubles_or_one_line(name: str) -> None:
    for methods in [[one] for one in NAMES] + PAIRS:
        for one in shown(name, methods):
            for part in (one.columns, one.rows):
                ids = [entry.id for entry in part]
                assert len(set(ids)) == len(ids), (methods, ids)
            titles = [(c.title, c.group) for c in one.columns]
            assert len(set(titles)) == len(titles), (methods, titles)
            labels = [tuple(row.labels.values()) for row in one.rows]
            tells = "made" not in read_table(name).labels  # numbers of images end alike at demo
            assert not tells or len(set(labels)) == len(labels), (methods, labels)


@pytest.mark.parametrize("name", tables())
def test_a_new_method_stands_under_its_own_title(name: str) -> None:
    whole = planned(name).tables
    others = {part.method for one in whole for part in (*one.columns, *one.rows)} - {""}
    for method, title in TITLES.items():
        if title in others:
            continue
        for one in shown(name, [method]):
            said = [column.title for column in one.columns if column.method]
            said += [label for row in one.rows if row.method for label in row.labels.values()]
            said += [row.series for row in one.rows if row.method]
            wrong = [
                text for text in said if text.split(":")[0].split(",")[0] in others - {"Noise"}
            ]
            assert not wrong, (method, wrong)


def test_parts_of_iterations_are_made_of_a_new_method_as_of_the_first() -> None:
    found = planned("iterations", methods=["adi"])
    (one,) = found.tables
    shares = ("10", "20", "50", "100", "200", "400")
    assert [row.id for row in one.rows] == [f"adi[{share}%]" for share in shares]
    assert [row.labels["Configuration"] for row in one.rows] == [f"ADI: {s} %" for s in shares]
    assert {row.series for row in one.rows} == {"ADI"}
    cells = {cell.key: cell for cell in found.targets}
    made = [cells[row.cells["iterations"].records[0]].recipe for row in one.rows]
    whole = Recipes("demo", "digits").resolve("resnet34").method("adi").settings["iterations"]
    assert [recipe["method"] for recipe in made] == ["adi"] * 6
    asked = [round(int(share) / 100 * whole) for share in shares]
    assert [recipe["settings"]["iterations"] for recipe in made] == asked


def test_a_row_whose_settings_are_anothers_becomes_the_methods_recipe() -> None:
    _, row = table("iterations", methods=["di", "adi"], rows=["di[10%-cosine]"]).rows
    assert (row.id, row.labels["Configuration"], row.series) == ("adi", "ADI", "")


@pytest.mark.parametrize(
    ("rows", "methods", "gone"), [(["ni"], ["di"], "ni"), (["di", "ni"], ["di"], "ni")]
)
def test_a_row_of_a_method_that_is_not_chosen_is_one_line(
    rows: list[str], methods: list[str], gone: str
) -> None:
    with pytest.raises(UsageError, match=f"^--rows {gone}: table1 would not show it with .* di$"):
        planned("table1", rows=rows, methods=methods)
    (one,) = planned("table1", rows=["di"], methods=methods).tables
    assert [row.id for row in one.rows] == ["di"]


@pytest.mark.parametrize("name", ["questions", "padding"])
def test_columns_of_a_new_method_have_its_title(name: str) -> None:
    columns = [c for c in table(name, methods=["di", "adi"]).columns if c.role == "method"]
    assert {(c.id.split("_")[0], c.title.split(",")[0]) for c in columns} == {
        ("di", "DI"),
        ("adi", "ADI"),
    }


@pytest.mark.parametrize(
    ("name", "method", "says"),
    [
        ("iterations", "dafl", "--methods dafl: has no iterations, and rows of iterations are"),
        ("iterations", "noise", "--methods noise: has no iterations"),
        ("split", "cmi", "--methods cmi: has no iterations"),
        ("split", "adi", "--methods adi: makes its images with a student, and rows of split are"),
        ("figure5", "real", "--methods real: not data-free, and figure5 has none of it"),
        ("accuracy", "real", "--methods real: not data-free, and accuracy has none of it"),
        ("table4", "wgan_gp", "--methods wgan_gp: not data-free, and table4 has none of it"),
    ],
)
def test_what_a_table_cant_show_of_a_method_is_one_line(name: str, method: str, says: str) -> None:
    for methods in ([method], ["di", method]):
        with pytest.raises(UsageError) as caught:
            planned(name, methods=methods)
        assert str(caught.value).startswith(says)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["accuracy", "table3"])
def test_a_student_of_ever_new_images_stands_below_no_other(name: str) -> None:
    """The report would refuse it, once all is computed."""
    with pytest.raises(
        UsageError, match=f"^{name}: dafl trains its student with its generator, on"
    ):
        planned(name, methods=["ni", "dafl"])
    assert planned(name, methods=["dafl"]).targets


@pytest.mark.parametrize("name", ["table1", "table4", "figure4", "figure5"])
@pytest.mark.parametrize("method", ["adi", "dafl"])
def test_images_made_with_a_student_are_made_with_one(name: str, method: str) -> None:
    cells = with_inputs(planned(name, methods=["di", method]).targets)
    made = [cell for cell in cells if cell.recipe.get("method") == method]
    assert {cell.recipe["student"] or cell.inputs["student"].recipe["arch"] for cell in made} == {
        "resnet18"
    }


def test_iterations_are_marked_for_each_method_where_they_differ() -> None:
    def marks(*methods: str) -> dict[str, float]:
        found = planned("iterations", "paper", "cifar100", methods=methods)
        return found.tables[0].figures[0].marks

    assert marks("ni") == {"the recipe's iterations": 4000, "published iterations": 4000}
    assert {
        f"published iterations, {title}": n for title, n in (("DI", 2000), ("NI", 4000))
    }.items() <= marks("di", "ni").items()
    outside = marks("ni", "baselines.deep_inversion:DeepInversion")
    assert [label for label in outside if label.startswith("published")] == [
        "published iterations, NI"
    ]


def test_a_control_that_is_named_among_methods_stands_there_once() -> None:
    plain = table("rivals", methods=["di"])
    assert table("rivals", methods=["di", "noise", "real"]) == plain
    alone = table("rivals", methods=["noise"])
    assert [c.id for c in alone.columns if not c.group] == ["teacher", "real_all", "real", "noise"]
    assert alone.part == "controls alone"


def test_noise_as_a_method_is_part_of_the_name() -> None:
    found = [table("figure2", methods=methods).name for methods in (["di"], ["di", "noise"])]
    assert found[0] == "figure2-demo-digits-methods-di"
    assert found[1] == "figure2-demo-digits-methods-di_noise"


@pytest.mark.parametrize("scale", ["demo", "mini", "paper"])
@pytest.mark.parametrize("name", ["table1", "table4", "accuracy", "iterations"])
def test_a_row_alone_has_the_cells_and_the_table_that_it_has_among_all(
    name: str, scale: str
) -> None:
    whole = planned(name, scale, "cifar10").tables
    among = {row.id: (one.id, row) for one in whole for row in one.rows}
    for chosen, (home, row) in among.items():
        (alone,) = planned(name, scale, "cifar10", rows=[chosen]).tables
        assert (alone.id, alone.rows) == (home, [row])


def test_of_methods_that_make_unlike_numbers_the_first_has_the_main_table() -> None:
    recipes = Recipes("demo", "digits", ["ni.batches=2"])
    (alone,) = expand(read_table("table1"), recipes, [0], rows=["ni"]).tables
    assert alone.id == "table1-n200", "beside DI's 300, as in the whole table"
    chosen = expand(read_table("table1"), recipes, [0], methods=["ni"]).tables
    assert [made.id for made in chosen] == ["table1"]
