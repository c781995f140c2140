"""A run that is killed again and again ends as one that nobody disturbed; and the check is one."""

import json
from pathlib import Path

import kill
import pytest


@pytest.mark.timeout(300)
def test_three_kills_change_nothing(tmp_path: Path) -> None:
    found = kill.kill_often(tmp_path, kills=3, seed=0)
    assert found.kills == 3
    assert found.finished >= 1
    assert not found.faults


def cell(runs: Path, name: str, content: bytes, metric: float = 0.5) -> Path:
    """A recorded cell with one artefact."""
    folder = runs / "student" / name
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(content)
    record = {"metrics": {"test_accuracy": metric}, "artefacts": {"weights": "digest"}}
    (folder / "record.json").write_text(json.dumps(record))
    return folder


def test_whatever_differs_is_found(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for runs in (one, other):
        cell(runs, "same", b"1")
    assert not list(kill.differences(one, other))
    cell(one, "bytes", b"1")
    cell(other, "bytes", b"2", metric=0.4)
    cell(one, "alone", b"1")
    assert list(kill.differences(one, other)) == [
        "student/alone is in one run only",
        "student/bytes: other metrics",
        "student/bytes/weights has other bytes",
    ]


def test_what_is_made_twice_or_left_over_is_found(tmp_path: Path) -> None:
    folder = cell(tmp_path / "runs", "x", b"1")
    found = kill.Killing()
    recorded = kill._still(found, tmp_path, {})
    assert kill._still(found, tmp_path, recorded) == recorded
    assert not found.faults
    (folder / "record.json").unlink()
    kill._still(found, tmp_path, recorded)
    assert found.faults == ["runs/student/x/record.json was recorded and made again"]
    (folder / ".weights.0a1b.tmp").touch()
    (folder / ".prepare.pt").touch()
    assert len(kill.left_over(tmp_path)) == 2
