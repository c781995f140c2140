"""An exact check: the accepted values themselves, or the number has changed."""

import msgspec
import pytest

from reports.records import Provenance
from reports.regression.accepted import Accepted, RefusedError, accepted_from, not_exact
from reports.regression.check import check_markdown, compare
from tests.reports.regression.test_check import ACCURACIES, DISTANCES, Case, case, verdicts

HERE = Provenance("abc", {"torch": "2.11"}, "cpu", "fp32", 1, "Linux", "now", "EPYC with AVX2")
MACHINE = "EPYC with AVX2, 1 thread"


def exact(measured: Case) -> dict[str, str]:
    return verdicts(compare(*measured, accepted_from(*case()), exact=True))


def test_the_accepted_values_are_the_same_whatever_their_spread() -> None:
    assert exact(case()) == {"student": "same", "fid": "same"}
    assert exact(case(ACCURACIES[1:3], DISTANCES[1:3], first=1)) == {
        "student": "same",
        "fid": "same",
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_one_value_in_the_last_digit_kept_is_a_change(seed: int) -> None:
    accuracies, distances = ACCURACIES[:2], DISTANCES[:2]
    distances[seed] += 1e-7  # of 40 or 41: the ninth digit
    measured = case(accuracies, distances)
    found = compare(*measured, accepted_from(*case()), exact=True)
    assert verdicts(found) == {"student": "same", "fid": "changed"}
    assert [one.other_seeds for one in found] == [(), (seed,)]
    by_chance = compare(*measured, accepted_from(*case()))
    assert verdicts(by_chance) == {"student": "same", "fid": "same"}


def test_values_of_other_seeds_are_no_excuse() -> None:
    """The mean and the set of values are the accepted ones."""
    assert exact(case(ACCURACIES[1::-1], DISTANCES[:2])) == {"student": "changed", "fid": "same"}


def test_a_seed_without_a_value_is_a_change() -> None:
    table, records = case(ACCURACIES[:2], DISTANCES[:2])
    del records["fid1"]
    found = compare(table, records, accepted_from(*case()), exact=True)
    assert [one.other_seeds for one in found] == [(), (1,)]


def test_a_number_that_no_seed_changes_is_held_against_its_one_value() -> None:
    fixed = [number(n=1, values=(90.0,), seeds=(0,), mean=90.0, sd=0.0, column="student")]
    for accuracy, verdict in ((0.9, "same"), (0.9000001, "changed")):
        found = compare(*case([accuracy, accuracy], [40.0]), fixed, exact=True)
        assert verdicts(found)["student"] == verdict


def test_a_change_is_shown_to_its_digits_beside_what_the_same_seeds_had() -> None:
    found = compare(*case(ACCURACIES[:1], [40.000004]), accepted_from(*case()), exact=True)
    assert [one.fails for one in found] == [False, True]
    *rows, last = check_markdown(found).splitlines()
    assert [cell.strip() for cell in rows[3].split("|")[4:8]] == [
        "40 (1)",
        "40.000004 (1)",
        "not of seed 0",
        "CHANGED",
    ]
    assert last == "2 numbers: 1 same, 1 changed"


def number(**changes: object) -> Accepted:
    (student, _) = accepted_from(*case())
    return msgspec.structs.replace(student, **{"machine": MACHINE} | changes)


@pytest.mark.parametrize(
    ("accepted", "seeds", "says"),
    [
        (number(), [0, 1], ""),
        (number(machine=""), [4], ""),
        (number(), [4, 5, 6], "of seeds 5 6 no values are accepted, only of 0 1 2 3 4"),
        (
            number(machine="EPYC with AVX512, bf16, 1 thread"),
            [0],
            f"the accepted values are of EPYC with AVX512, bf16, 1 thread, this is {MACHINE}",
        ),
        (
            number(versions="torch=2.15.0"),
            [0],
            "the accepted values are of torch=2.15.0, this is torch=2.11",
        ),
        (number(n=1, seeds=(0,), versions="torch=2.15.0"), [7], ""),
    ],
    ids=["same", "machine not known", "seeds", "machine", "version", "fixed"],
)
def test_what_can_not_be_equal_to_the_last_digit_is_told(
    accepted: Accepted, seeds: list[int], says: str
) -> None:
    assert not_exact(accepted, seeds, HERE) == says


def test_what_may_differ_from_run_to_run_is_told() -> None:
    fast = msgspec.structs.replace(HERE, deterministic=False)
    assert not_exact(number(), [0], fast) == "with --fast a GPU's bytes may differ from run to run"


def test_records_of_another_machine_are_not_held_against_the_accepted_values() -> None:
    with pytest.raises(RefusedError, match="of EPYC with AVX2, 1 thread, this is CPU"):
        compare(*case(), [number()], exact=True)


def test_the_machine_is_accepted_with_the_number() -> None:
    table, records = case()
    for key, record in records.items():
        records[key] = msgspec.structs.replace(record, provenance=HERE)
    assert {one.machine for one in accepted_from(table, records)} == {MACHINE}
    two = msgspec.structs.replace(HERE, threads=2)
    records["fid1"] = msgspec.structs.replace(records["fid1"], provenance=two)
    machines = {one.column: one.machine for one in accepted_from(table, records)}
    assert machines["fid"] == f"{MACHINE} and EPYC with AVX2, 2 threads"
