"""The student that a competing method is made against: its learning rate, and its own accuracy."""

import pytest

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement, read_table
from naturalinversion.errors import UsageError
from reports.tables.layout import Table

ROWS = ["resnet34-resnet18"]
LOOP = "student in the loop"


def rounds_of(method: str, scale: str, *overrides: str) -> list[Cell]:
    """The student of every round, the first one first."""
    pipeline = Pipeline(Recipes(scale, "cifar10", overrides).resolve("resnet34"), 0)
    found = []
    cell: Cell | None = pipeline.student_in_loop(Measurement(method=method, student="resnet18"))
    while cell:
        found.insert(0, cell)
        cell = cell.inputs.get("initial")
    return found


def rates(method: str, scale: str, *overrides: str) -> list[float]:
    return [cell.recipe["training"]["lr"] for cell in rounds_of(method, scale, *overrides)]


@pytest.mark.parametrize("method", ["adi", "ni_adi"])
def test_its_rate_drops_where_the_published_schedule_drops(method: str) -> None:
    """At epochs 100 and 200 of 250: after 8 and after 15 of 19 rounds of 13 epochs."""
    assert rates(method, "paper") == pytest.approx([0.1] * 8 + [0.01] * 7 + [0.001] * 4)
    assert rates(method, "mini") == pytest.approx([0.1, 0.1, 0.01, 0.001])
    assert rates(method, "demo") == [0.1], "one round, which anneals its rate itself"


def test_other_numbers_of_rounds_have_the_drops_at_the_same_fractions() -> None:
    fifty = rates("adi", "paper", "adi.rounds.rounds=50")
    assert [fifty.count(rate) for rate in dict.fromkeys(fifty)] == [20, 20, 10]
    constant = rates("adi", "paper", "adi.rounds.milestones=[]")
    assert constant == [0.1] * 19
    halved = rates("adi", "paper", "adi.rounds.milestones=[0.5]", "adi.rounds.gamma=0.5")
    assert halved == [0.1] * 9 + [0.05] * 10


def table5(*methods: str) -> tuple[Table, dict[str, Cell]]:
    found = expand(
        read_table("table5"), Recipes("paper", "cifar10"), [0], rows=ROWS, methods=methods
    )
    (table,) = found.tables
    return table, {cell.key: cell for cell in found.targets}


@pytest.mark.parametrize("method", ["adi", "ni_adi"])
def test_its_accuracy_stands_beside_the_fresh_students(method: str) -> None:
    table, cells = table5()
    (row,) = table.rows
    fresh, loop = (cells[row.cells[column].records[0]] for column in (method, f"{method}-loop"))
    assert fresh.kind == loop.kind == "distillation", "each record has a test accuracy"
    assert "initial" not in fresh.inputs
    assert loop.key == rounds_of(method, "paper")[-1].key
    last = fresh.inputs[f"images{len(loop.recipe['images']['batches'])}"]
    assert last.inputs["student"].key == loop.key
    assert sum(fresh.recipe["images"]["batches"]) == 1000
    assert sum(loop.recipe["images"]["batches"]) == 950, "those of the last round are made with it"


def test_it_costs_no_cell_and_is_ranked_apart() -> None:
    table, _ = table5()
    (row,) = table.rows
    columns = {column.id: column for column in table.columns}
    assert columns["adi-loop"].title == f"ADI, {LOOP}"
    apart = {table.ranking(row, columns[name]) for name in ("adi-loop", "ni_adi-loop")}
    assert len(apart) == 1
    assert apart.isdisjoint({table.ranking(row, columns[name]) for name in ("adi", "ni", "dafl")})
    assert row.cells["adi-loop"].claim == "-", "the published number stands once, with the images"


def test_only_methods_that_compete_have_the_column() -> None:
    def ids(*methods: str) -> list[str]:
        return [column.id for column in table5(*methods)[0].columns if column.role == "method"]

    assert ids("di", "ni") == ["di", "ni"]
    assert ids("di", "adi") == ["di", "adi", "adi-loop"]
    assert ids("ni_adi") == ["ni_adi", "ni_adi-loop"]
    with pytest.raises(UsageError, match="di has no student in the loop"):
        Pipeline(Recipes("demo", "digits").resolve("resnet34"), 0).cell(
            Measurement(method="di", student="resnet18", evaluation="student_in_loop")
        )


def test_samples_of_the_first_and_of_the_last_round_are_shown() -> None:
    recipes = Recipes("small", "cifar10")
    made = expand(
        read_table("table5"), recipes, [0], methods=["adi", "ni"], rows=["vgg11-resnet18"]
    )
    titles = [picture.title for picture in made.tables[0].pictures]
    assert titles == [
        "ADI: VGG-11 with ResNet-18, first round",
        "ADI: VGG-11 with ResNet-18, last round",
        "NI: VGG-11",
    ]
    of_one = expand(read_table("table5"), Recipes("demo", "digits"), [0], methods=["adi"])
    assert not [picture for picture in of_one.tables[0].pictures if "round" in picture.title]
