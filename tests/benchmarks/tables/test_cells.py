"""Cells: what names them, and the order they come in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine.cell import Cell, closure
from benchmarks.recipes.resolve import Book
from benchmarks.tables.pipeline import Pipeline
from naturalinversion.errors import UsageError

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(-1e6, 1e6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def cell(label: str = "a", rate: float = 0.1, **inputs: Cell) -> Cell:
    return Cell("toy", label, {"rate": rate, "deep": {"x": [1, 2]}}, inputs)


@given(recipe=st.dictionaries(st.text(), PLAIN, max_size=4))
def test_the_key_depends_on_the_recipes_content_not_on_its_order(
    recipe: dict[str, object],
) -> None:
    turned = dict(reversed(recipe.items()))
    assert Cell("toy", "a", recipe).key == Cell("toy", "b", turned).key
    assert Cell("toy", "a", recipe | {"one more": 1}).key != Cell("toy", "a", recipe).key


def test_kind_recipe_role_and_inputs_make_the_key_and_the_label_does_not() -> None:
    keys = {
        cell().key,
        cell(rate=0.2).key,
        Cell("other", "a", cell().recipe).key,
        cell(teacher=cell()).key,
        cell(student=cell()).key,
        cell(teacher=cell(rate=0.2)).key,
        cell(teacher=cell(teacher=cell())).key,
    }
    assert len(keys) == 7
    assert cell("a").key == cell("b").key
    assert cell(teacher=cell("a")).key == cell(teacher=cell("b")).key


def test_a_change_far_up_the_chain_changes_every_key_below() -> None:
    def chain(rate: float) -> list[str]:
        first = cell(rate=rate)
        second = cell(teacher=first)
        return [first.key, second.key, cell(images=second).key]

    assert not set(chain(0.1)) & set(chain(0.2))


def test_the_folder_says_kind_label_and_key() -> None:
    made = cell("digits-s0")
    assert made.folder(Path("runs")) == Path("runs") / "toy" / f"digits-s0-{made.key}"
    assert len(made.key) == 12
    assert int(made.key, 16) >= 0


def test_closure_has_each_cell_once_and_inputs_first() -> None:
    root = cell("root")
    left, right = cell("left", 1, root=root), cell("right", 2, root=root)
    top = cell("top", 3, left=left, right=right)
    twin = cell("twin", 3, left=left, right=right)  # another label for the same cell
    order = [c.key for c in closure([top, twin, left])]
    assert sorted(order) == sorted({c.key for c in (root, left, right, top)})
    for c in (left, right, top):
        assert all(order.index(i.key) < order.index(c.key) for i in c.inputs.values())
    assert closure([]) == []


def test_a_long_chain_is_no_problem() -> None:
    last = cell("0")
    for number in range(100):
        last = cell(str(number), number, previous=last)
    assert len(closure([last])) == 101


def pipeline(seed: int = 0, *overrides: str, scale: str = "demo") -> Pipeline:
    return Pipeline(Book(scale, "digits", overrides), "resnet34", seed)


def test_the_same_request_names_the_same_cells() -> None:
    for method in ("di", "dafl", "ni_adi"):
        first, again = (pipeline().student(method, "resnet18") for _ in range(2))
        assert first.key == again.key
        assert [c.key for c in closure([first])] == [c.key for c in closure([again])]


def test_an_override_of_the_default_value_changes_nothing() -> None:
    epochs = pipeline().protocol.student.epochs
    same = pipeline(0, f"protocol.student.epochs={epochs}").student("di", "vgg11")
    assert same.key == pipeline().student("di", "vgg11").key


@pytest.mark.parametrize("change", ["seed", "scale", "method setting", "training"])
def test_another_request_names_other_cells(change: str) -> None:
    other = {
        "seed": pipeline(1),
        "scale": pipeline(scale="mini"),
        "method setting": pipeline(0, "di.settings.rate=0.3"),
        "training": pipeline(0, "protocol.student.lr=0.3"),
    }[change]
    assert other.student("di", "vgg11").key != pipeline().student("di", "vgg11").key


def test_only_what_a_change_touches_is_made_again() -> None:
    """A new student recipe keeps teacher and images; a new setting keeps the teacher."""
    base = pipeline()
    trained = pipeline(0, "protocol.student.lr=0.3")
    assert trained.teacher.key == base.teacher.key
    assert (
        trained.images("di", "vgg11").parts[0][0].key == base.images("di", "vgg11").parts[0][0].key
    )
    inverted = pipeline(0, "di.settings.rate=0.3")
    assert inverted.teacher.key == base.teacher.key
    assert (
        inverted.images("di", "vgg11").parts[0][0].key != base.images("di", "vgg11").parts[0][0].key
    )
    assert (
        inverted.images("ni", "vgg11").parts[0][0].key == base.images("ni", "vgg11").parts[0][0].key
    )


def test_students_share_images_unless_the_method_needs_a_student() -> None:
    base = pipeline()
    for method, shared in (("di", True), ("ni", True), ("adi", False), ("dafl", False)):
        keys = {base.images(method, arch).parts[-1][0].key for arch in ("vgg11", "mobilenetv2")}
        assert (len(keys) == 1) == shared, method


def test_rounds_alternate_and_take_the_last_student() -> None:
    base = pipeline(0, "adi.batches=7", "adi.rounds.start_batches=3", "adi.rounds.rounds=2")
    parts = base.images("adi", "vgg11").parts
    assert [count for _, count in parts] == [3, 2, 2]
    (start, _), (first, _), (second, _) = parts
    assert "student" not in start.inputs
    earlier, later = first.inputs["student"], second.inputs["student"]
    assert later.inputs["initial"].key == earlier.key
    assert later.recipe["batches"] == [3, 2]
    assert first.recipe["seed"] != second.recipe["seed"]
    assert base.student("adi", "vgg11").recipe["batches"] == [3, 2, 2]


@pytest.mark.parametrize(
    "overrides",
    [
        ("adi.batches=3", "adi.rounds.start_batches=3"),
        ("adi.batches=6", "adi.rounds.start_batches=1", "adi.rounds.rounds=2"),
        ("adi.batches=9", "adi.rounds.start_batches=8", "adi.rounds.rounds=1"),
        ("adi.batch_size=50",),
    ],
)
def test_rounds_that_do_not_add_up_are_one_line(overrides: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="recipe adi: ") as caught:
        pipeline(0, *overrides).images("adi", "vgg11")
    assert "\n" not in str(caught.value)


def test_many_batches_are_shared_out_over_cells_and_few_take_the_first() -> None:
    base = pipeline(0, "protocol.chunk=2", "di.batches=5", "di.batch_size=100")
    everything = base.images("di", "vgg11")
    assert everything.batches == [2, 2, 1]
    assert [cell.recipe["first"] for cell, _ in everything.parts] == [0, 2, 4]
    assert everything.count == 500
    few = base.images("di", "vgg11", 250)
    assert (few.batches, few.count) == ([2, 1], 250)
    assert [cell.key for cell, _ in few.parts] == [cell.key for cell, _ in everything.parts[:2]]
    assert base.images("di", "vgg11", 10**6).count == 500
    assert base.student("di", "vgg11", 250).recipe["images"] == 250


def test_what_shares_its_training_is_not_shared_out() -> None:
    base = pipeline(0, "protocol.chunk=1")
    assert base.images("ni", "vgg11").batches == [1, 1, 1]
    assert base.images("ni", "vgg11", variant={"one_to_one": False}).batches == [3]
    assert base.images("dafl", "vgg11").batches == [3]


def test_competition_starts_from_the_first_cells_only() -> None:
    """ADI alone makes as many of DI's batches as it needs."""
    base = pipeline(
        0, "protocol.chunk=1", "di.batches=9", "adi.batches=4", "adi.rounds.start_batches=2"
    )
    kinds = [cell for cell in closure([base.student("adi", "vgg11")]) if cell.kind == "synthesis"]
    assert sum(cell.recipe["method"] == "di" for cell in kinds) == 2


def test_an_ablation_is_another_cell_and_its_label_says_which() -> None:
    base = pipeline()
    plain, ((turned, _),) = (
        base.images("ni", ""),
        base.images("ni", "", 0, {"pyramid": False}).parts,
    )
    assert turned.key != plain.parts[0][0].key
    assert turned.recipe["settings"]["pyramid"] is False
    assert "pyramid=False" in turned.label
    assert base.images("ni", "", 0, {"pyramid": True}).parts[0][0].key == plain.parts[0][0].key
