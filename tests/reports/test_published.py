"""The paper's numbers as data: those that repeat each other agree, and none has been changed."""

import csv
import hashlib
from collections import defaultdict
from importlib import resources

import pytest

from reports.published import Published, paper_notes, published

#: Of ids and values, numbers of images, units and asterisks, as last read against the paper's
#: tables and text. Whoever corrects a number reads all of them again, then changes this.
PROOF_READ = "ea3a620bfc143b023ae2d1c3d22e80527bc2e3f26b88eb0b8233e6699d19a641"
FULL = "ni[o2o+ftp+acs]"
METRICS = ("inception_score", "fid", "precision", "recall")
#: Best (bold) and second best (underlined) of Table 5, by row, as the paper prints them.
TABLE_5 = {
    "cifar10/resnet34/resnet18": ("ni_adi", "ni"),
    "cifar10/resnet34/vgg11": ("ni", ""),
    "cifar10/resnet34/mobilenetv2": ("ni_adi", "ni"),
    "cifar10/vgg11/resnet18": ("ni_adi", "adi"),
    "cifar10/vgg11/vgg11": ("dfad", "ni_adi"),
    "cifar10/vgg11/mobilenetv2": ("ni_adi", "ni"),
    "cifar100/resnet34/resnet18": ("dafl", "ni ni_adi"),
    "cifar100/resnet34/vgg11": ("ni_adi", ""),
    "cifar100/resnet34/mobilenetv2": ("ni_adi", "ni"),
    "cifar100/vgg16/resnet18": ("ni_adi", "ni"),
    "cifar100/vgg16/vgg11": ("ni_adi", "ni"),
    "cifar100/vgg16/mobilenetv2": ("ni_adi", "ni"),
}
#: Notes on the second best where the paper doesn't underline it, and on others that it underlines.
UNMARKED, WRONGLY_MARKED = {"unmarked", "second-best"}, {"underlined", "underlined-ni"}
#: Bold in Table 3.
TABLE_3 = {
    "test_accuracy": FULL,
    "inception_score": FULL,
    "fid": "ni[o2o+ftp]",
    "precision": "ni[o2o+ftp]",
    "recall": FULL,
}


def of(table: str, **where: str) -> list[Published]:
    """The numbers of a table whose fields are these."""
    return [
        number
        for number in published().values()
        if number.table == table and all(getattr(number, k) == v for k, v in where.items())
    ]


def value(table: str, method: str, metric: str, **where: str) -> float:
    (number,) = of(table, method=method, metric=metric, **where)
    return number.value


def rows_of_table_5() -> dict[str, dict[str, Published]]:
    """By row and method, without teachers and students alone."""
    rows: dict[str, dict[str, Published]] = defaultdict(dict)
    for number in of("table5"):
        if number.method not in ("teacher", "student"):
            row = f"{number.dataset}/{number.teacher}/{number.student}"
            rows[row][number.method] = number
    return rows


def test_every_number_is_as_last_read_against_the_paper() -> None:
    text = (resources.files("reports") / "paper" / "values.csv").read_text("utf-8")
    lines = [[line[k] for k in line if k != "note"] for line in csv.DictReader(text.splitlines())]
    assert len(lines) == len(published()) == 190
    digest = hashlib.sha256("\n".join(map(",".join, lines)).encode()).hexdigest()
    assert digest == PROOF_READ


@pytest.mark.parametrize("metric", METRICS)
def test_deep_inversion_has_the_same_numbers_in_tables_1_and_3(metric: str) -> None:
    one = value("table1", "di", metric, dataset="cifar100")
    assert value("table3", "di", metric) == one


@pytest.mark.parametrize("metric", METRICS)
def test_two_runs_of_one_configuration_lie_apart_by_the_noise_alone(metric: str) -> None:
    one = value("table1", "ni", metric, dataset="cifar100")
    apart = abs(value("table3", FULL, metric) - one)
    assert 0 < apart <= paper_notes().noise[metric]


def test_the_text_repeats_a_number_of_table_3() -> None:
    assert value("text", FULL, "test_accuracy") == value("table3", FULL, "test_accuracy")


def test_a_network_trained_on_real_images_has_one_number_in_all_rows() -> None:
    alone: dict[tuple[str, ...], set[float]] = defaultdict(set)
    for number in of("table5"):
        if number.method in ("teacher", "student"):
            arch = number.teacher if number.method == "teacher" else number.student
            alone[number.dataset, arch].add(number.value)
    assert len(alone) == 9, "VGG-11 is teacher and student on CIFAR-10"
    assert [len(values) for values in alone.values()] == [1] * 9


@pytest.mark.parametrize("row", TABLE_5)
def test_best_of_table_5_is_bold_in_the_paper_and_second_underlined_or_a_note_says_so(
    row: str,
) -> None:
    numbers = rows_of_table_5()[row].values()
    first, second = sorted(numbers, key=lambda number: number.value, reverse=True)[:2]
    bold, underlined = TABLE_5[row]
    assert first.method == bold
    for number in numbers:
        is_marked = number.method in underlined.split()
        assert (number.note in UNMARKED) == (number is second and not is_marked), number
        assert (number.note in WRONGLY_MARKED) == (is_marked and number is not second), number


def test_the_marks_are_of_every_row_of_table_5() -> None:
    assert rows_of_table_5().keys() == TABLE_5.keys()
    assert {len(row) for row in rows_of_table_5().values()} == {6}


@pytest.mark.parametrize("metric", TABLE_3)
def test_best_of_table_3_is_the_one_that_the_paper_marks(metric: str) -> None:
    numbers = [n for n in of("table3", metric=metric) if n.method != "di"]
    way = min if metric == "fid" else max
    assert way(numbers, key=lambda number: number.value).method == TABLE_3[metric]


def test_ni_is_best_in_every_row_of_table_2() -> None:
    rows: dict[str, list[Published]] = defaultdict(list)
    for number in of("table2"):
        rows[f"{number.teacher} {number.student}"].append(number)
    assert len(rows) == 6
    for numbers in rows.values():
        assert [n.method for n in sorted(numbers, key=lambda n: n.value)] == ["dafl", "di", "ni"]


@pytest.mark.parametrize("metric", ["fid", "fid_early"])
def test_more_maps_are_better_in_table_4(metric: str) -> None:
    values = [number.value for number in of("table4", metric=metric)]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)


def test_competition_hurts_where_notes_say_so() -> None:
    """And nowhere else: ADI is DI, and NI+ADI is NI, with it."""
    hurts = {
        number.id
        for row in rows_of_table_5().values()
        for with_it, without in (("adi", "di"), ("ni_adi", "ni"))
        if (number := row[with_it]).value < row[without].value
    }
    assert hurts == {n.id for n in published().values() if n.note == "competition-hurts"}


def test_notes_that_name_numbers_of_the_paper_name_the_right_ones() -> None:
    of_more = value("table1", "ni", "fid", dataset="cifar10")
    of_fewer = value("table4", "ni[all]", "fid")
    assert of_fewer < of_more
    assert f"Table 1's {of_more:.2f}" in paper_notes().notes["fewer-images"]
    assert f"FID, {of_fewer:.2f}" in paper_notes().notes["more-images"]


def test_asterisks_are_only_on_rivals_of_table_5() -> None:
    marked = [number for number in published().values() if number.reimplemented]
    assert {number.table for number in marked} == {"table5"}
    assert {number.method for number in marked} == {"dafl", "dfad", "di", "adi"}
