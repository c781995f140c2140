"""Device and precision of a number are those of everything that was computed for it."""

from collections.abc import Mapping

import msgspec
import pytest

from reports.records import Record
from reports.regression.accepted import RefusedError, accepted_from
from reports.regression.check import compare
from reports.tables.export import to_csv, to_markdown
from reports.tables.measured import measured_frame
from tests.reports.regression.test_check import H100, Case, case, verdicts

replace = msgspec.structs.replace


def made(record: Record, **changes: str) -> Record:
    """The record as of another machine, time or commit."""
    return replace(record, provenance=replace(record.provenance, **changes))


def from_images(kind: str = "synthesis", of: Case | None = None, **changes: str) -> Case:
    """Every number rests on one cell, which differs from it in provenance."""
    table, records = of or case()
    cell = replace(made(next(iter(records.values())), **changes), kind=kind, key="cell")
    made_from = {key: replace(one, inputs={"images0": "cell"}) for key, one in records.items()}
    return table, made_from | {"cell": cell}


def later(records: Mapping[str, Record]) -> dict[str, Record]:
    """The same numbers, computed at another time."""
    return {key: made(record, started="later") for key, record in records.items()}


@pytest.mark.parametrize("kind", ["synthesis", "classifier"])
@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"device": H100}])
def test_images_of_another_device_are_neither_accepted_nor_compared(
    kind: str, changes: dict[str, str]
) -> None:
    found = from_images(kind, **changes)
    with pytest.raises(RefusedError, match="records are of several devices: "):
        accepted_from(*found)
    with pytest.raises(RefusedError, match="records are of several devices: "):
        compare(*found, accepted_from(*case()))


def test_a_ready_teacher_may_be_of_any_device() -> None:
    found = from_images("pretrained", device=H100, precision="bf16", commit="dirty+")
    accepted = accepted_from(*found)
    assert {(one.made_on, one.commit) for one in accepted} == {("cpu in fp32", "abc")}
    assert verdicts(compare(*found, accepted)) == {"student": "same", "fid": "same"}


def test_the_commits_of_the_images_are_named() -> None:
    for number in accepted_from(*from_images(commit="def+")):
        assert number.commit == "abc def+"


def test_one_table_is_of_one_device() -> None:
    table, records = case()
    moved = {
        key: made(one, device=H100) if key.startswith("fid") else one
        for key, one in records.items()
    }
    with pytest.raises(RefusedError, match="several devices: NVIDIA H100 80GB HBM3 in fp32, cpu"):
        accepted_from(table, moved)


def test_another_device_is_no_other_rounding() -> None:
    table, records = case()
    moved = {key: made(one, device=H100) for key, one in records.items()}
    with pytest.raises(RefusedError) as caught:
        accepted_from(table, records, moved)
    assert "ni student is of cpu in fp32, and again of NVIDIA H100 80GB HBM3 in fp32" in str(
        caught.value
    )
    images = from_images(precision="bf16", of=(table, later(records)))[1]
    with pytest.raises(RefusedError, match="again of cpu in bf16, cpu in fp32"):
        accepted_from(table, records, images)


def test_the_same_records_are_no_second_time() -> None:
    table, records = case()
    with pytest.raises(RefusedError, match="not computed again: x-test_accuracy0 is the same"):
        accepted_from(table, records, records)
    once = from_images()[1]
    copied = later(once) | {"cell": once["cell"]}
    with pytest.raises(RefusedError, match="not computed again: x-cell is the same record"):
        accepted_from(table, once, copied)
    with pytest.raises(RefusedError, match="every value is the same: it was no other rounding"):
        accepted_from(table, once, later(once))


def test_a_table_says_on_which_devices_images_behind_its_numbers_were_made() -> None:
    table, records = from_images()
    assert "were computed on" not in to_markdown(table, measured_frame(table, records))
    other = replace(made(records["cell"], device=H100, precision="bf16"), key="other")
    fids = {key: replace(records[key], inputs={"images": "other"}) for key in records if "f" in key}
    frame = measured_frame(table, records | fids | {"other": other})
    said = "Numbers of this table were computed on NVIDIA H100 80GB HBM3 in bf16 and cpu in fp32 "
    assert said in to_markdown(table, frame)
    assert ",NVIDIA H100 80GB HBM3 in bf16; cpu in fp32," in to_csv(frame)
