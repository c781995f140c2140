"""Records: what is written comes back, and what is broken is refused in one line."""

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from reports import records
from reports.records import Record, RecordError, SchemaError
from tests.reports.makers import make_record, put


def written(folder: Path, record: Record) -> Path:
    place = records.folder_of(folder, record)
    records.write(place, record)
    return place / records.FILE_NAME


def refusal(path: Path) -> str:
    with pytest.raises(RecordError) as caught:
        records.read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_record_comes_back_as_written(tmp_path: Path) -> None:
    record = make_record(
        "k1", metrics={"loss": [1.5, 0.5], "n": 3, "extractor": "own"}, notes=["x"]
    )
    path = written(tmp_path, record)
    assert path == tmp_path / "distillation" / "student-k1-k1" / "record.json"
    assert records.read(path) == record
    assert records.load_all(tmp_path) == {"k1": record}
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_keys_are_sorted_so_that_equal_records_are_equal_bytes(tmp_path: Path) -> None:
    first = written(tmp_path / "a", make_record("k", recipe={"b": 1, "a": 2})).read_bytes()
    second = written(tmp_path / "b", make_record("k", recipe={"a": 2, "b": 1})).read_bytes()
    assert first == second


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [0.5, float("-inf")]])
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path: Path, bad: object) -> None:
    with pytest.raises(RecordError, match=r"metrics\.final_loss.*finite"):
        records.write(tmp_path, make_record("k", metrics={"final_loss": bad}))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, make_record("k", 0.5))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(RecordError, match="No space left"):
        records.write(path.parent, make_record("k", 0.6))
    assert records.read(path).metrics == {"test_accuracy": 0.5}
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_a_missing_record(tmp_path: Path) -> None:
    assert "missing" in refusal(tmp_path / "record.json")


def test_a_truncated_record(tmp_path: Path) -> None:
    path = written(tmp_path, make_record("k"))
    path.write_bytes(path.read_bytes()[:-40])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"schema": 1, "name": "x"}', '{"schema": 1, "kind": 3}']
)
def test_a_foreign_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    assert "not a record of this project" in refusal(path)


@pytest.mark.parametrize(("schema", "age"), [(2, "newer"), (0, "older")])
def test_another_schema_is_refused_with_its_age(tmp_path: Path, schema: int, age: str) -> None:
    path = written(tmp_path, make_record("k"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema, "new_field": 1}))
    assert f"schema {schema} is {age}" in refusal(path)


@pytest.mark.parametrize("path_of", [(), ("cost",), ("provenance",)], ids=["top", *"cp"])
def test_a_field_more_is_of_a_newer_version_and_no_damage(
    tmp_path: Path, path_of: tuple[str, ...]
) -> None:
    path = written(tmp_path, make_record("k"))
    content = json.loads(path.read_text())
    part = content[path_of[0]] if path_of else content
    part["new_field"] = 1
    path.write_text(json.dumps(content))
    with pytest.raises(SchemaError, match=r"of another version of this program .*`new_field`"):
        records.read(path)


def test_a_field_more_beside_a_missing_one_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path, make_record("k"))
    path.write_text(path.read_text().replace('"metrics"', '"metricz"'))
    assert "not a record of this project" in refusal(path)
    with pytest.raises(RecordError) as caught:
        records.read(path)
    assert not isinstance(caught.value, SchemaError)


def test_a_broken_record_stops_the_reading_of_all(tmp_path: Path) -> None:
    written(tmp_path, make_record("good"))
    written(tmp_path, make_record("bad")).write_text("{")
    mend = "remove its folder and run its table again$"
    with pytest.raises(RecordError, match=f"bad.*truncated.*; {mend}"):
        records.load_all(tmp_path)


def test_a_broken_record_may_be_left_out_but_none_of_another_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, make_record("good"))
    written(tmp_path, make_record("bad")).write_text("{")
    assert list(records.load_all(tmp_path, skip_damaged=True)) == ["good"]
    (line,) = caplog.messages
    assert re.search("bad.*truncated.*: left out; remove its folder and run its table again$", line)
    path = written(tmp_path, make_record("new"))
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(SchemaError):
        records.load_all(tmp_path, skip_damaged=True)


def test_of_a_cell_made_twice_the_first_counts_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As runs folders of before have where two tables called one cell by two labels."""
    written(tmp_path, make_record("k", 0.5, label="one"))
    written(tmp_path, make_record("k", 0.5, label="two"))
    assert list(records.load_all(tmp_path)) == ["k"]
    assert caplog.messages == []
    first = make_record("k", 0.6, label="two")
    day_before = msgspec.structs.replace(first.provenance, started="2026-11-21T20:00:00+00:00")
    first = msgspec.structs.replace(first, provenance=day_before)
    written(tmp_path, first)
    assert records.load_all(tmp_path) == {"k": first}
    one, two = (records.folder_of(tmp_path, make_record("k", label=x)) for x in ("one", "two"))
    assert caplog.messages == [f"k was made twice, with other numbers: {two} counts, {one} doesn't"]


@pytest.mark.parametrize("label", ["../../escape", "a/b"])
def test_a_label_cannot_leave_the_runs_folder(tmp_path: Path, label: str) -> None:
    with pytest.raises(RecordError, match="folder"):
        records.folder_of(tmp_path, make_record("k", label=label))


def test_an_artefact_must_be_the_one_the_record_lists(tmp_path: Path) -> None:
    record = put(tmp_path, make_record("k"), a_csv="1,2\n")
    path = records.folder_of(tmp_path, record) / "a.csv"
    assert records.read_artefact(record, "a.csv", tmp_path) == b"1,2\n"
    path.write_bytes(b"1,3\n")
    with pytest.raises(RecordError, match=r"a\.csv: not the file its record names$"):
        records.read_artefact(record, "a.csv", tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match=r"a\.csv: missing$"):
        records.read_artefact(record, "a.csv", tmp_path)
    path.mkdir()
    with pytest.raises(RecordError, match=r"a\.csv: cannot be read"):
        records.read_artefact(record, "a.csv", tmp_path)
    for file in ("", "..", "../x/record.json", "/etc/passwd"):
        with pytest.raises(RecordError):
            records.read_artefact(record, file, tmp_path)


def test_a_lineage_is_a_record_and_what_it_was_made_from_nearest_first() -> None:
    made_from = {"student": ["images", "teacher"], "images": ["teacher", "gone"], "teacher": []}
    found = {
        key: make_record(key, inputs=dict(zip("abc", inputs, strict=False)))
        for key, inputs in made_from.items()
    }
    assert [r.key for r in records.lineage(["student"], found)] == ["student", "images", "teacher"]
    assert [r.key for r in records.lineage(["", "gone", "teacher"], found)] == ["teacher"]


def test_what_a_killed_writer_left_goes_with_a_later_one(tmp_path: Path) -> None:
    for name in (".report.html.0f37cf0d.tmp", ".other.html.0f37cf0d.tmp"):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (0, 0))
    records.write_atomically(tmp_path / "report.html", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".other.html.0f37cf0d.tmp",
        "report.html",
    ]


def test_two_writers_of_one_file_at_once_both_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins and ends while the first is about to put its draft in place."""
    path, replace = tmp_path / "report.html", os.replace

    def overtaken(draft: Path, target: Path) -> None:
        monkeypatch.setattr("os.replace", replace)
        records.write_atomically(path, b"second")
        assert path.read_bytes() == b"second"
        replace(draft, target)

    monkeypatch.setattr("os.replace", overtaken)
    records.write_atomically(path, b"first")
    assert path.read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
