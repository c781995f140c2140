"""Tables say on which devices, versions and commits their numbers rest, and on which teachers."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from reports.records import Record
from reports.tables.export import to_csv, to_markdown
from reports.tables.layout import Table
from reports.tables.measured import measured_frame
from tests.reports.makers import make_record

MakeCase = Callable[..., tuple[Table, dict[str, Record]]]
SHARED = "share one teacher: ± and tests say nothing of other teachers."


def elsewhere(record: Record, **provenance: Any) -> Record:
    where = msgspec.structs.replace(record.provenance, **provenance)
    return msgspec.structs.replace(record, provenance=where)


def printed(table: Table, records: Mapping[str, Record]) -> str:
    return to_markdown(table, measured_frame(table, records))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, ""),
        (
            {"device": "cuda (NVIDIA H200)", "versions": {"torch": "2.11.0"}, "commit": "b"},
            "on NVIDIA H200 in fp32 and cpu in fp32 with PyTorch 2.11.0 and 2.15.0 by 2 commits",
        ),
        ({"versions": {"torch": "2.11.0"}}, "on cpu in fp32 with PyTorch 2.11.0 and 2.15.0 by one"),
        ({"commit": "b"}, "on cpu in fp32 with PyTorch 2.15.0 by 2 commits of this repository."),
    ],
    ids=["alike", "all", "torch", "commit"],
)
def test_one_note_says_what_differs_between_students(
    case: MakeCase, other: dict[str, Any], said: str
) -> None:
    table, records = case({"DI": [0.8, 0.9]})
    last = list(records)[-1]
    records[last] = elsewhere(records[last], **other)
    text = printed(table, records)
    assert (f"Numbers of this table were computed {said}" in text) == bool(said)
    assert text.count("were computed") == bool(said)


def test_what_students_were_made_from_counts_but_not_classifiers_that_came_ready(
    case: MakeCase,
) -> None:
    table, records = case({"DI": [0.8]})
    (key,) = list(records)
    inputs = {"images0": "i", "teacher": "t"}
    records[key] = msgspec.structs.replace(records[key], inputs=inputs)
    records["t"] = elsewhere(make_record("t", kind="pretrained"), commit="b")
    records["i"] = make_record("i", kind="synthesis")
    assert "were computed" not in printed(table, records)
    records["i"] = elsewhere(records["i"], precision="bf16")
    frame = measured_frame(table, records)
    assert "computed on cpu in bf16 and cpu in fp32" in to_markdown(table, frame)
    (line,) = csv.DictReader(io.StringIO(to_csv(frame)))
    assert (line["computed_on"], line["torch"]) == ("cpu in bf16; cpu in fp32", "2.15.0")
    assert (line["commits"], line["teachers"]) == ("0123456789abcdef", "t")


def with_teachers(records: Mapping[str, Record], *teachers: str) -> dict[str, Record]:
    return {
        key: msgspec.structs.replace(record, inputs={"teacher": teacher})
        for (key, record), teacher in zip(records.items(), teachers, strict=True)
    }


def test_seeds_that_share_one_teacher_are_said_to(case: MakeCase) -> None:
    table, records = case({"DI": [0.8, 0.9], "NI": [0.7, 0.9]})
    assert f"All seeds {SHARED}" in printed(table, with_teachers(records, *"tttt"))
    assert f"All seeds of a number {SHARED}" in printed(table, with_teachers(records, *"ttuu"))
    assert SHARED not in printed(table, with_teachers(records, *"tutu"))
    assert SHARED not in printed(table, records), "of no teacher"
    table, records = case({"DI": [0.8], "NI": [0.7]})
    assert SHARED not in printed(table, with_teachers(records, *"tt")), "single runs have no ±"
