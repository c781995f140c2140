"""What ``status`` and ``plan --recorded`` say of a runs folder with some records in it."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import FAILURE
from reports import records as store
from reports.records import Cost
from tests.benchmarks.cli.accepted_place import cells, fake, write_records
from tests.benchmarks.command_line import here


def students() -> list[Cell]:
    """The cells of seed 0 that nothing else reads."""
    return [cell for cell in cells(0) if cell.kind == "distillation"]


def test_status_lists_what_is_not_done_and_why_it_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path, range(1))
    left, failed = students()
    for cell in (left, failed):
        shutil.rmtree(cell.folder(tmp_path))
    failed.folder(tmp_path).mkdir()
    (failed.folder(tmp_path) / FAILURE).write_text("no space left\n")
    asked = ("status", "accuracy", "--runs-dir", str(tmp_path))
    code, out, _ = here(capfd, *asked)
    assert code == 0
    *lines, counts = out.splitlines()
    assert sorted(lines) == [
        f"failed   distillation {failed.label} {failed.key}: no space left",
        f"to do    distillation {left.label} {left.key}",
    ]
    done = len(cells(0)) - 2
    assert counts == f"{done} done, 1 failed, 1 to do"
    found = json.loads(here(capfd, *asked, "--json")[1])
    assert Counter(one["state"] for one in found) == {"done": done, "failed": 1, "to do": 1}
    assert {one["key"]: one["reason"] for one in found if one["reason"]} == {
        failed.key: "no space left"
    }


def test_a_recorded_plan_takes_the_seconds_of_the_records(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of those there are; one cell after another, or the students side by side."""
    for cell in cells(0):
        seconds = 600.0 if cell.kind == "distillation" else 30.0
        record = replace(fake(cell, 0, 0.0, "cpu"), cost=Cost(seconds, 1.0, 0, 1.0))
        store.write(cell.folder(tmp_path), record)
    others = len(cells(0)) - 2

    def planned(workers: int, *more: str) -> str:
        where = ("--runs-dir", str(tmp_path), "--device", "cpu", "--workers", str(workers))
        code, out, _ = here(capfd, "plan", "accuracy", "--recorded", *where, *more)
        assert code == 0
        return out

    (row,) = json.loads(planned(1, "--json"))
    assert (row["cells"], row["recorded"]) == (others + 2, others + 2)
    assert row["wall_seconds"] == pytest.approx(1200 + 30 * others)
    assert f"| {others + 2} | {others + 2} | {20 + others / 2:.1f} |" in planned(1)
    (row,) = json.loads(planned(2, "--json"))
    assert 600 < row["wall_seconds"] < 1200
    shutil.rmtree(students()[0].folder(tmp_path))
    (row,) = json.loads(planned(1, "--json"))
    assert (row["cells"], row["recorded"]) == (others + 2, others + 1)
    assert row["wall_seconds"] == pytest.approx(600 + 30 * others)
