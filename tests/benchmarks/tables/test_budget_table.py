"""The study of budgets: rows by method and number of images, joint methods once."""

from collections.abc import Sequence

from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import PlannedTable, expand
from benchmarks.tables.spec import read_table


def planned(
    scale: str = "demo", dataset: str = "digits", sets: Sequence[str] = (), **more: list[str]
) -> PlannedTable:
    return expand(read_table("budget"), Recipes(scale, dataset, sets), [0], **more)


def rows(found: PlannedTable) -> dict[str, list[float | None]]:
    """Numbers of images by method."""
    by_method: dict[str, list[float | None]] = {}
    for row in found.tables[0].rows:
        by_method.setdefault(row.labels["Method"], []).append(row.x)
    return by_method


def test_offline_methods_and_controls_have_all_numbers_of_images_and_joint_ones_one() -> None:
    found = rows(planned("small", "cifar10"))
    every = [250, 500, 1000, 2000, 2560]
    for name in ("DI", "NI", "Noise", "Real images"):
        assert found.pop(name) == every, name
    for name in ("ADI", "NI+ADI"):  # their first images are DI's and NI's
        assert found.pop(name) == every[2:], name
    assert set(found) == {"DAFL", "DFAD", "CMI", "Fast-5"}
    assert {len(counts) for counts in found.values()} == {1}
    assert rows(planned())["NI"] == [250, 300]


def test_no_two_rows_are_the_same_images() -> None:
    for scale in ("small", "mini", "paper"):
        (table,) = planned(scale, "cifar10").tables
        keys = [row.cells["student"].records[0] for row in table.rows]
        assert len(set(keys)) == len(keys), scale


def test_real_images_are_as_many_as_there_are_at_most() -> None:
    """The label says how many the student learned from, not how many a scale's methods make."""
    found = rows(planned("paper", "cifar10"))
    assert found["Real images"] == [250, 500, 1000, 2000, 4000, 16_000, 50_000]
    assert found["DI"][-2:] == [64_000, 256_000]


def test_a_joint_students_column_says_neither_joint_nor_offline() -> None:
    (table,) = planned().tables
    assert [column.detail for column in table.columns] == ["", ""]
    assert [figure.name for figure in table.figures] == ["seconds", "images"]


def test_a_method_from_outside_has_rows_of_its_own_and_controls_stay() -> None:
    found = rows(planned("small", "cifar10", methods=["di", "contract_methods:FromOutside"]))
    assert list(found) == ["DI", "FromOutside", "Real images", "Noise"]
    assert found["FromOutside"] == found["DI"]
    assert list(rows(planned(methods=["fast"]))) == ["Fast-5", "Real images", "Noise"]


def test_controls_reach_as_far_as_the_method_that_makes_the_most() -> None:
    found = rows(planned(sets=["di.batches=8", "ni.batches=4"], methods=["di", "ni"]))
    assert found["DI"] == found["Noise"] == found["Real images"] == [250, 500, 800]
    assert found["NI"] == [250, 400]
