"""Accepted numbers and what a check says of new ones, in both directions."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from reports.machine import device_class
from reports.records import Cost, Provenance, Record
from reports.regression.accepted import Accepted, RefusedError, accepted_from
from reports.regression.accepted_file import changes, read, write
from reports.regression.check import (
    CheckedNumber,
    check_markdown,
    compare,
    compare_seeds,
    drawn,
)
from reports.regression.limits import allowance, seeds_for_ranks
from reports.tables.layout import Column, Row, Table, TableCell

H100 = "cuda (NVIDIA H100 80GB HBM3)"
ACCURACIES = [0.90, 0.91, 0.92, 0.93, 0.94]
DISTANCES = [40.0, 41.0, 42.0, 43.0, 44.0]
Case = tuple[Table, dict[str, Record]]


def case(
    accuracies: Sequence[float] = ACCURACIES,
    distances: Sequence[float] = DISTANCES,
    first: int = 0,
    device: str = "cpu",
    commit: str = "abc",
) -> Case:
    """One method's accuracy and FID, a record per seed."""
    metrics = {"test_accuracy": accuracies, "fid": distances}
    records = {
        f"{name}{first + index}": Record(
            kind="distillation",
            label="x",
            key=f"{name}{first + index}",
            recipe={},
            inputs={},
            metrics={name: value},
            cost=Cost(1.0, 1.0, 0, 1.0),
            provenance=Provenance(commit, {"torch": "2.11"}, device, "fp32", 1, "Linux", "now"),
            artefacts={},
        )
        for name, values in metrics.items()
        for index, value in enumerate(values)
    }
    seeds = range(first, first + max(len(accuracies), len(distances)))
    table = Table(
        id="accuracy",
        title="Accuracy",
        caption="",
        scale="demo",
        dataset="digits",
        published_dataset="CIFAR-10",
        seeds=list(seeds),
        columns=[
            Column("student", "Student", "method", "test_accuracy", unit="%"),
            Column("fid", "FID", "method", "fid", higher_is_better=False),
        ],
        rows=[
            Row(
                "ni",
                {"Method": "NI"},
                {
                    "student": TableCell([f"test_accuracy{seed}" for seed in seeds]),
                    "fid": TableCell([f"fid{seed}" for seed in seeds]),
                },
            )
        ],
        pictures=[],
    )
    return table, records


def verdicts(found: Sequence[CheckedNumber]) -> dict[str, str]:
    return {one.column: one.verdict for one in found}


def checked(*measured: Case, numbers: int = 0) -> dict[str, str]:
    return verdicts(compare(*measured[0], accepted_from(*case()), numbers))


def test_fewer_than_three_seeds_are_not_accepted() -> None:
    with pytest.raises(RefusedError, match="ni student has 2 of the 3 seeds"):
        accepted_from(*case([0.9, 0.91]))
    table, records = case()
    del records["fid0"], records["fid1"], records["fid2"]
    with pytest.raises(RefusedError, match="ni fid has 2"):
        accepted_from(table, records)


def test_records_of_two_devices_are_not_accepted() -> None:
    table, records = case()
    where = msgspec.structs.replace(records["fid1"].provenance, device=H100)
    records["fid1"] = msgspec.structs.replace(records["fid1"], provenance=where)
    with pytest.raises(
        RefusedError, match="several devices: NVIDIA H100 80GB HBM3 in fp32, cpu in fp32"
    ):
        accepted_from(table, records)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", "cpu"),
        (H100, "NVIDIA H100 80GB HBM3"),
        ("cuda:1 (A (B))", "A (B)"),
        ("cpu:0", "cpu"),
    ],
)
def test_a_device_class_is_the_cpu_or_the_gpus_name(device: str, expected: str) -> None:
    assert device_class(device) == expected


def fixed_teacher(accuracy: float = 0.92) -> Case:
    """A column whose one record serves all five seeds, beside one that seeds change."""
    table, records = case()
    cells = table.rows[0].cells | {"student": TableCell(["t"] * 5)}
    row = msgspec.structs.replace(table.rows[0], cells=cells)
    teacher = msgspec.structs.replace(
        records["test_accuracy0"], key="t", metrics={"test_accuracy": accuracy}
    )
    return msgspec.structs.replace(table, rows=[row]), records | {"t": teacher}


def test_a_number_that_no_seed_changes_is_accepted_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write(path, accepted_from(*fixed_teacher()))
    fid, teacher = read(path)
    assert (teacher.n, teacher.sd, teacher.seeds, teacher.fixed) == (1, 0.0, (0,), True)
    assert list(changes([], [teacher])) == ["ni student: new, 92 (fixed, cpu)"]
    assert drawn([fid, teacher]) == 1, "it can't fail by chance"


@pytest.mark.parametrize(
    ("accuracy", "expected"), [(0.92, "same"), (0.911, "same"), (0.905, "worse"), (0.94, "better")]
)
def test_such_a_number_may_move_by_a_point(accuracy: float, expected: str) -> None:
    accepted = accepted_from(*fixed_teacher())
    found = compare(*fixed_teacher(accuracy), accepted)
    assert verdicts(found) == {"student": expected, "fid": "same"}
    assert "| 92 % (1)" in check_markdown(found)


def many(values: Sequence[float], first: int) -> Case:
    """One number of many seeds."""
    return case([value / 100 for value in values], [42.0] * len(values), first)


HEAVY = [97.0 + step / 10 for step in range(16)] + [66.0, 88.0]  # two teachers inverted badly


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ([97.4, 98.0, 98.2, 98.3], "same"),
        ([97.4, 66.0, 98.2, 98.3], "same"),  # a bad teacher among the new ones as well
        ([62.0, 64.0, 65.0, 60.0], "worse"),
        ([99.0, 99.1, 99.2, 99.4], "better"),
    ],
)
def test_ranks_judge_numbers_with_heavy_tails(measured: list[float], expected: str) -> None:
    accepted = accepted_from(*many(HEAVY, 0))
    found = compare(*many(measured, 20), accepted, numbers=12)
    assert verdicts(found) == {"student": expected, "fid": "same"}
    student = next(one for one in found if one.column == "student")
    assert student.p_limit == pytest.approx(0.01 / 12)
    assert student.allowed is None


def test_ranks_do_not_fail_means_within_a_point() -> None:
    accepted = accepted_from(*many([97 + step / 1000 for step in range(18)], 0))
    found = compare(*many([97.1, 97.2, 97.3, 97.4], 20), accepted, numbers=12)
    assert verdicts(found)["student"] == "same"
    assert found[0].p is not None
    assert found[0].p < 0.01 / 12


@pytest.mark.parametrize("values", [[97.0025, 97.0145, 97.0165], [96.9, 96.95, 97.0005]])
def test_ranks_are_held_against_all_draws_of_as_many(values: list[float]) -> None:
    """Twice the share of three out of 21 ranks whose sum is as far out."""
    before = [97 + step / 1000 for step in range(18)]
    student, _ = compare(*many(values, 20), accepted_from(*many(before, 0)), numbers=1)
    ranks = [sorted([*before, *values]).index(value) + 1 for value in values]
    sums = np.array([sum(draw) for draw in itertools.combinations(range(1, 22), 3)])
    tails = (sums <= sum(ranks)).mean(), (sums >= sum(ranks)).mean()
    assert student.p == pytest.approx(2 * min(tails), rel=1e-9)


@pytest.mark.parametrize(
    ("accepted", "numbers", "expected"), [(18, 12, 4), (18, 1, 3), (3, 12, 23)]
)
def test_how_many_seeds_ranks_need(accepted: int, numbers: int, expected: int) -> None:
    assert seeds_for_ranks(accepted, numbers) == expected
    assert 2 / math.comb(accepted + expected, expected) < 0.01 / numbers
    assert 2 / math.comb(accepted + expected - 1, expected - 1) >= 0.01 / numbers


def test_the_allowance_is_students_interval_over_all_numbers() -> None:
    _, accepted = sorted(accepted_from(*case()), key=lambda one: one.key)
    quantile = stats.t.ppf(1 - 0.01 / 2 / 12, 4)
    expected = quantile * accepted.sd * (1 / 2 + 1 / 5) ** 0.5
    assert allowance(accepted, 2, 12) == pytest.approx(expected)
    assert allowance(accepted, 1, 12) > allowance(accepted, 2, 12) > allowance(accepted, 2, 6)


@pytest.mark.parametrize(("unit", "expected"), [("%", 1.0), ("", 0.42)])
def test_a_number_without_spread_has_a_little_room(unit: str, expected: float) -> None:
    accepted = msgspec.structs.replace(accepted_from(*case())[1], sd=0.0, unit=unit)
    assert allowance(accepted, 1, 1) == pytest.approx(expected)


def test_the_same_numbers_and_other_seeds_of_them_are_the_same() -> None:
    for measured in (case(), case(first=7), case([0.905], [43.5], first=9)):
        assert checked(measured) == {"student": "same", "fid": "same"}


def test_worse_and_better_both_fail_and_each_column_has_its_direction() -> None:
    low, high = [0.7, 0.71, 0.72], [0.99, 1.0, 1.0]
    near, far = [1.0, 1.1, 1.2], [90.0, 91.0, 92.0]
    assert checked(case(low, far)) == {"student": "worse", "fid": "worse"}
    assert checked(case(high, near)) == {"student": "better", "fid": "better"}
    found = compare(*case(high, far), accepted_from(*case()))
    assert all(one.fails for one in found)


def test_numbers_that_only_one_side_has_are_told_apart() -> None:
    accepted = accepted_from(*case())
    table, records = case()
    only = [record for key, record in records.items() if key.startswith("fid")]
    missing = compare(table, {record.key: record for record in only}, accepted)
    assert [(one.column, one.verdict, one.fails) for one in missing] == [
        ("fid", "same", False),
        ("student", "not measured", True),
    ]
    extra = compare(table, records, accepted[:1])
    assert [(one.column, one.verdict, one.fails) for one in extra] == [
        ("student", "same", False),
        ("fid", "not accepted", False),
    ]


def test_another_precision_is_refused() -> None:
    table, records = case()
    for key, record in records.items():
        made = msgspec.structs.replace(record.provenance, precision="bf16")
        records[key] = msgspec.structs.replace(record, provenance=made)
    with pytest.raises(RefusedError, match="are of cpu in fp32, these of cpu in bf16"):
        compare(table, records, accepted_from(*case()))


def test_another_class_of_device_is_refused() -> None:
    with pytest.raises(RefusedError, match="are of cpu in fp32, these of NVIDIA H100 80GB HBM3 in"):
        compare(*case(device=H100), accepted_from(*case()))


def test_chance_ranks_fail_at_most_one_check_in_a_hundred() -> None:
    """Under any noise: here one value in nine lies far out."""
    rng = np.random.default_rng(0)
    template, failed = accepted_from(*case())[1], 0
    for _ in range(2000):
        values = (rng.normal(90, 3, 22) - 30 * (rng.random(22) < 1 / 9)).tolist()
        accepted = msgspec.structs.replace(
            template, mean=np.mean(values[:18]), n=18, values=tuple(values[:18])
        )
        failed += compare_seeds(accepted, values[18:], 1)["differs"]
    assert 0 < failed <= 30


def test_chance_fails_one_check_in_a_hundred() -> None:
    """The rate holds over all numbers of a check, whatever each of them is."""
    rng = np.random.default_rng(0)
    numbers, seeds = 10, 10
    wide = msgspec.structs.replace(accepted_from(*case())[1], sd=1e6, n=seeds)
    per_sd = allowance(wide, 2, numbers) / wide.sd
    old, new = (rng.normal(50, 3, (20_000, numbers, count)) for count in (seeds, 2))
    far = np.abs(new.mean(2) - old.mean(2)) > per_sd * old.std(2, ddof=1)
    assert far.any(axis=1).mean() == pytest.approx(0.01, abs=0.003)


def test_the_table_says_what_was_expected_and_what_came() -> None:
    accepted: list[Accepted] = accepted_from(*case())
    text = check_markdown(compare(*case([0.7, 0.71, 0.72]), accepted))
    (line,) = (line for line in text.splitlines() if "student" in line)
    for part in ("accuracy-demo-digits", "92 ± 1.6 % (5)", "71 % (3)", "± ", "WORSE"):
        assert part in line
    ranked = check_markdown(compare(*many([60.0] * 4, 20), accepted_from(*many(HEAVY, 0))))
    assert "p 0.00027 (limit 0.005) | WORSE" in ranked
    assert text.splitlines()[-1] == "2 numbers: 1 worse, 1 same; with the accepted values: 1"


def test_accepted_seeds_with_their_values_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "accepted.csv"
    thirds = [0.9 + seed / 300 for seed in range(3)]
    write(path, accepted_from(*case(thirds)))
    accepted = read(path)
    for seeds, equal in (
        (case(thirds[:2]), True),
        (case([thirds[0], thirds[1] + 1e-4]), False),
        (case(thirds[:2], first=1), False),
        (case([*thirds, thirds[0]]), False),  # a seed that is not accepted
    ):
        (student,) = (one for one in compare(*seeds, accepted) if one.column == "student")
        assert student.equal == equal
    known = many([60.0] * 4, 20)
    assert "accepted values:" not in check_markdown(compare(*known, accepted_from(*many(HEAVY, 0))))
