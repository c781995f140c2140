"""Cells: what names them, and the order they come in."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine.cell import Cell, with_inputs

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


def test_with_inputs_has_each_cell_once_and_inputs_first() -> None:
    root = cell("root")
    left, right = cell("left", 1, root=root), cell("right", 2, root=root)
    top = cell("top", 3, left=left, right=right)
    twin = cell("twin", 3, left=left, right=right)  # another label for the same cell
    order = [c.key for c in with_inputs([top, twin, left])]
    assert sorted(order) == sorted({c.key for c in (root, left, right, top)})
    for c in (left, right, top):
        assert all(order.index(i.key) < order.index(c.key) for i in c.inputs.values())
    assert with_inputs([]) == []


def test_a_long_chain_is_no_problem() -> None:
    last = cell("0")
    for number in range(100):
        last = cell(str(number), number, previous=last)
    assert len(with_inputs([last])) == 101
