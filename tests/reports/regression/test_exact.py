"""An exact check: the accepted values themselves, or the number has changed."""

import msgspec
import pytest

from reports.records import Provenance
from reports.regression.accepted import Accepted, accepted_from, not_exact
from reports.regression.check import check_markdown, compare
from tests.reports.regression.test_check import ACCURACIES, DISTANCES, Case, case, verdicts

HERE = Provenance("abc", {"torch": "2.11"}, "cpu", "fp32", 1, "Linux", "now", "EPYC with AVX2")


def exact(measured: Case) -> dict[str, str]:
    return verdicts(compare(*measured, accepted_from(*case()), exact=True))


def test_the_accepted_values_are_the_same_whatever_their_spread() -> None:
    assert exact(case()) == {"student": "same", "fid": "same"}
    assert exact(case(ACCURACIES[1:3], DISTANCES[1:3], first=1)) == {
        "student": "same",
        "fid": "same",
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_one_value_in_its_seventh_digit_is_a_change(seed: int) -> None:
    accuracies, distances = ACCURACIES[:2], DISTANCES[:2]
    distances[seed] *= 1 + 1e-7
    measured = case(accuracies, distances)
    assert exact(measured) == {"student": "same", "fid": "changed"}
    assert verdicts(compare(*measured, accepted_from(*case()))) == {
        "student": "same",
        "fid": "same",
    }, "which chance would not be held for a change"


def test_values_of_other_seeds_are_no_excuse() -> None:
    """The mean and the set of values are the accepted ones."""
    assert exact(case(ACCURACIES[1::-1], DISTANCES[:2])) == {"student": "changed", "fid": "same"}


def test_a_change_is_shown_to_its_digits_beside_what_the_same_seeds_had() -> None:
    found = compare(*case(ACCURACIES[:1], [40.000004]), accepted_from(*case()), exact=True)
    assert [one.fails for one in found] == [False, True]
    fid = check_markdown(found).splitlines()[3]
    assert "| 40 (1)" in fid
    assert "| 40.000004 (1)" in fid
    assert "CHANGED" in fid


def number(**changes: object) -> Accepted:
    (student, _) = accepted_from(*case())
    return msgspec.structs.replace(student, **{"processor": "EPYC with AVX2"} | changes)


@pytest.mark.parametrize(
    ("accepted", "seeds", "says"),
    [
        (number(), [0, 1], ""),
        (number(processor=""), [4], ""),
        (number(), [4, 5, 6], "of seeds 5 6 no values are accepted, only of 0 1 2 3 4"),
        (number(processor="EPYC with AVX512"), [0], "of EPYC with AVX512, this is EPYC with AVX2"),
        (number(versions="torch=2.15.0"), [0], "are of torch=2.15.0, this is torch=2.11"),
        (number(n=1, seeds=(0,), versions="torch=2.15.0"), [7], ""),
    ],
    ids=["same", "processor not known", "seeds", "processor", "version", "fixed"],
)
def test_what_can_not_be_equal_to_the_last_digit_is_told(
    accepted: Accepted, seeds: list[int], says: str
) -> None:
    assert not_exact(accepted, seeds, HERE).endswith(says)
    assert bool(not_exact(accepted, seeds, HERE)) == bool(says)


def test_the_processor_is_accepted_with_the_number() -> None:
    table, records = case()
    for key, record in records.items():
        where = msgspec.structs.replace(record.provenance, cpu="EPYC with AVX2")
        records[key] = msgspec.structs.replace(record, provenance=where)
    assert {one.processor for one in accepted_from(table, records)} == {"EPYC with AVX2"}
    where = msgspec.structs.replace(where, cpu="Xeon with AVX512")
    records["fid1"] = msgspec.structs.replace(records["fid1"], provenance=where)
    processors = {one.column: one.processor for one in accepted_from(table, records)}
    assert processors["fid"] == "EPYC with AVX2 and Xeon with AVX512"
