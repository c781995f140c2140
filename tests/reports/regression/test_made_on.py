"""Device and precision of a number are those of everything that was computed for it."""

from collections.abc import Mapping

import msgspec
import pytest

from reports.records import Record
from reports.regression.accepted import RefusedError, accepted_from
from reports.regression.again import with_again
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


def elsewhere(of: Case, **changes: str) -> dict[str, Record]:
    """The same cells on another machine, with values a little off."""
    metrics = {key: {n: v * 1.0001 for n, v in one.metrics.items()} for key, one in of[1].items()}
    return {k: replace(made(one, **changes), metrics=metrics[k]) for k, one in of[1].items()}


def test_numbers_may_be_checked_where_they_were_computed_again() -> None:
    table, records = case()
    once = accepted_from(table, records)
    second = elsewhere((table, records), device=H100, precision="bf16")
    with pytest.raises(RefusedError, match="numbers are of cpu in fp32, these of NVIDIA H"):
        compare(table, second, once)
    fids = {key: one for key, one in second.items() if key.startswith("fid")}
    twice = with_again(table, once, {"there": fids})
    assert {place for one in twice for place in one.again_places} == {
        "NVIDIA H100 80GB HBM3 in bf16"
    }
    of_fid = [one for one in twice if one.column == "fid"]
    found = [one for one in compare(table, fids, of_fid) if one.column == "fid"]
    assert [one.verdict for one in found] == ["same"]
    with pytest.raises(RefusedError, match="numbers are of cpu in fp32, these of NVIDIA H"):
        compare(table, second, twice)  # students have no second value there
    third = {key: made(one, device="cpu") for key, one in fids.items()}
    with pytest.raises(RefusedError, match="of cpu in fp32, these of cpu in bf16: not compared"):
        compare(table, third, of_fid)


def test_records_that_are_no_second_time_are_refused() -> None:
    table, records = case()
    once = accepted_from(table, records)
    with pytest.raises(RefusedError, match=r"^b: nothing of accuracy-demo-digits that is accepted"):
        with_again(table, once, {"a": elsewhere(case()), "b": {}})
    same = {key: one for key, one in records.items() if key.endswith("2")}
    with pytest.raises(RefusedError, match=r"^b: every value of seed 2 is the accepted one: "):
        with_again(table, once, {"a": elsewhere(case()), "b": elsewhere(case()) | same})
    others = [replace(n, records=tuple(f"x{key}" for key in n.records)) for n in once]
    with pytest.raises(RefusedError, match="seed 0: x-test_accuracy0 is not of the accepted cell"):
        with_again(table, others, {"a": later(records)})
    with pytest.raises(RefusedError, match="student: records of other data than the accepted"):
        with_again(replace(table, dataset="others"), once, {"a": later(records)})
    moved = from_images(of=(table, elsewhere(case())), device=H100)[1]
    with pytest.raises(RefusedError, match="several devices: NVIDIA H100 80GB HBM3 in fp32, cpu"):
        with_again(table, once, {"a": moved})
    metric = [replace(number, metric="another") for number in once]
    with pytest.raises(RefusedError, match=r"^a: nothing of accuracy-demo-digits"):
        with_again(table, metric, {"a": elsewhere(case())})


def test_a_table_says_on_which_devices_images_behind_its_numbers_were_made() -> None:
    table, records = from_images()
    assert "were computed on" not in to_markdown(table, measured_frame(table, records))
    other = replace(made(records["cell"], device=H100, precision="bf16"), key="other")
    fids = {key: replace(records[key], inputs={"images": "other"}) for key in records if "f" in key}
    frame = measured_frame(table, records | fids | {"other": other})
    said = "Numbers of this table were computed on NVIDIA H100 80GB HBM3 in bf16 and cpu in fp32 "
    assert said in to_markdown(table, frame)
    assert ",NVIDIA H100 80GB HBM3 in bf16; cpu in fp32," in to_csv(frame)
