"""Records and views: what is written comes back, and what is broken is refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from reports import records
from reports.records import Record, RecordError
from reports.tables import layout
from reports.tables.layout import View, ViewCell

MakeRecord = Callable[..., Record]
MakeView = Callable[..., View]


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


def test_a_record_comes_back_as_written(tmp_path: Path, new_record: MakeRecord) -> None:
    record = new_record("k1", metrics={"loss": [1.5, 0.5], "n": 3, "extractor": "own"}, notes=["x"])
    path = written(tmp_path, record)
    assert path == tmp_path / "student" / "student-k1-k1" / "record.json"
    assert records.read(path) == record
    assert records.load_all(tmp_path) == {"k1": record}
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_keys_are_sorted_so_that_equal_records_are_equal_bytes(
    tmp_path: Path, new_record: MakeRecord
) -> None:
    first = written(tmp_path / "a", new_record("k", recipe={"b": 1, "a": 2})).read_bytes()
    second = written(tmp_path / "b", new_record("k", recipe={"a": 2, "b": 1})).read_bytes()
    assert first == second


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [0.5, float("-inf")]])
def test_a_number_that_is_not_finite_is_refused_by_name(
    tmp_path: Path, new_record: MakeRecord, bad: object
) -> None:
    with pytest.raises(RecordError, match=r"metrics\.final_loss.*finite"):
        records.write(tmp_path, new_record("k", metrics={"final_loss": bad}))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_record(
    tmp_path: Path, new_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, new_record("k", 0.5))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(RecordError, match="No space left"):
        records.write(path.parent, new_record("k", 0.6))
    assert records.read(path).metrics == {"test_accuracy": 0.5}
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_a_missing_record(tmp_path: Path) -> None:
    assert "missing" in refusal(tmp_path / "record.json")


def test_a_truncated_record(tmp_path: Path, new_record: MakeRecord) -> None:
    path = written(tmp_path, new_record("k"))
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
def test_another_schema_is_refused_with_its_age(
    tmp_path: Path, new_record: MakeRecord, schema: int, age: str
) -> None:
    path = written(tmp_path, new_record("k"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema, "new_field": 1}))
    assert f"schema {schema} is {age}" in refusal(path)


def test_a_broken_record_stops_the_reading_of_all(tmp_path: Path, new_record: MakeRecord) -> None:
    written(tmp_path, new_record("good"))
    written(tmp_path, new_record("bad")).write_text("{")
    with pytest.raises(RecordError, match="bad"):
        records.load_all(tmp_path)


def test_copies_of_a_cell_must_agree(tmp_path: Path, new_record: MakeRecord) -> None:
    written(tmp_path, new_record("k", 0.5, label="one"))
    written(tmp_path, new_record("k", 0.5, label="two"))
    assert list(records.load_all(tmp_path)) == ["k"]
    written(tmp_path, new_record("k", 0.6, label="two"))
    with pytest.raises(RecordError, match="other numbers"):
        records.load_all(tmp_path)


@pytest.mark.parametrize("label", ["../../escape", "a/b"])
def test_a_label_cannot_leave_the_runs_folder(
    tmp_path: Path, new_record: MakeRecord, label: str
) -> None:
    with pytest.raises(RecordError, match="folder"):
        records.folder_of(tmp_path, new_record("k", label=label))


def test_a_view_comes_back_in_its_order(tmp_path: Path, new_view: MakeView) -> None:
    view = new_view({"NI": ViewCell(["k"], 93.72), "DI": ViewCell(["l"], 91.43, True)})
    path = tmp_path / "views" / "t.json"
    layout.write(path, view)
    assert layout.read(path) == view
    assert [column.title for column in layout.read(path).columns] == ["NI", "DI"]
    assert list(layout.read(path).rows[0].labels) == ["Teacher", "Student"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seeds": [0, 1, 2]}, "1 record keys for 3 seeds"),
        ({"seeds": []}, "no seed"),
        ({"columns": []}, "no column"),
        ({"rows": []}, "no row"),
        ({"pictures": [layout.Picture("p", "", "k", "../../secret.png")]}, "plain file name"),
    ],
)
def test_a_view_that_contradicts_itself_is_refused(
    tmp_path: Path, new_view: MakeView, change: dict[str, object], reason: str
) -> None:
    view = msgspec.structs.replace(new_view({"DI": ViewCell(["k"], None)}), **change)
    with pytest.raises(RecordError, match=reason):
        layout.write(tmp_path / "t.json", view)
    (tmp_path / "t.json").write_bytes(msgspec.json.encode(view))
    with pytest.raises(RecordError, match=reason):
        layout.read(tmp_path / "t.json")


def test_a_view_of_the_first_schema_is_refused_in_one_line(
    tmp_path: Path, new_view: MakeView
) -> None:
    path = tmp_path / "t.json"
    layout.write(path, new_view({"DI": ViewCell(["k"], 91.43)}))
    old = json.loads(path.read_text())
    old |= {"schema": 1, "metric": "test_accuracy", "unit": "%", "higher_is_better": True}
    path.write_text(json.dumps(old))
    with pytest.raises(RecordError, match="schema 1 is older than this program's 2") as caught:
        layout.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "make the view again" in message
    assert "\n" not in message


def test_a_footnote_must_exist(tmp_path: Path, new_view: MakeView) -> None:
    view = new_view({"DI": ViewCell(["k"], 1.0, footnote="copied")})
    with pytest.raises(RecordError, match="no footnote 'copied'"):
        layout.write(tmp_path / "t.json", view)


def test_the_data_set_is_the_published_one_whatever_its_spelling(new_view: MakeView) -> None:
    cells = {"DI": ViewCell(["k"], 1.0)}
    assert new_view(cells, dataset="cifar10").on_published_data
    assert not new_view(cells, dataset="cifar100").on_published_data


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    for name in (".report.html.0f37cf0d.tmp", ".other.html.0f37cf0d.tmp"):
        (tmp_path / name).write_bytes(b"half")
    records.write_atomically(tmp_path / "report.html", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".other.html.0f37cf0d.tmp",
        "report.html",
    ]
