"""One cell: what is recorded, what a failure says, and that memory is released."""

import json
import logging
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.engine.cell_runner import CellFailedError, is_done, run_cell
from benchmarks.engine.context import CellContext
from benchmarks.engine.machine import Machine
from naturalinversion.errors import BenchmarkError, UsageError
from reports.records import SchemaError, read
from tests.benchmarks.engine.toy_cells import (
    DATA,
    KINDS,
    MACHINE,
    HeldMemory,
    Toys,
    cell,
    diamond,
    fail,
    make,
)


def test_a_finished_cell_has_artefacts_log_recipe_and_record(toys: Toys, tmp_path: Path) -> None:
    root, *_ = diamond()
    assert make(root, tmp_path) == "computed"
    folder = root.folder(tmp_path)
    record = read(folder / "record.json")
    assert (record.kind, record.label, record.key) == ("toy", "root", root.key)
    assert record.metrics == {"sum": 1, "images": 3}
    assert record.cost.images == 3
    assert record.cost.seconds >= 0
    assert (record.provenance.device, record.provenance.threads) == ("cpu", 1)
    assert torch.__version__.startswith(record.provenance.versions["torch"])
    assert sorted(record.artefacts) == ["recipe.json", "sum.txt"]
    log = (folder / "log.txt").read_text()
    assert "started by " in log
    assert "the sum is 1" in log
    assert "finished" in log


def test_what_is_logged_after_a_cell_goes_where_it_went_before(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("benchmarks")
    monkeypatch.setattr(log, "propagate", True)
    before = (log.level, log.propagate, list(log.handlers))
    make(diamond()[0], tmp_path)
    assert (log.level, log.propagate, log.handlers) == before


def test_the_record_comes_last(toys: Toys, tmp_path: Path) -> None:
    """Whatever ends the process inside a cell leaves no record."""
    root, *_ = diamond()
    seen: list[bool] = []

    def die(context: CellContext) -> None:
        seen.append((context.folder / "record.json").exists())
        raise KeyboardInterrupt

    toys.behaviour["root"] = die
    with pytest.raises(KeyboardInterrupt):
        make(root, tmp_path)
    assert seen == [False]
    assert not (root.folder(tmp_path) / "record.json").exists()
    assert not is_done(root, tmp_path)
    toys.behaviour.clear()
    assert make(root, tmp_path) == "computed"
    assert is_done(root, tmp_path)


def test_the_record_of_a_newer_version_is_neither_used_nor_overwritten(
    toys: Toys, tmp_path: Path
) -> None:
    root, *_ = diamond()
    make(root, tmp_path)
    path = root.folder(tmp_path) / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"new_field": 1}))
    before = path.read_bytes()
    with pytest.raises(SchemaError, match="of another version"):
        make(root, tmp_path)
    assert path.read_bytes() == before
    assert toys.ran == ["root"]


def test_what_was_made_from_other_files_of_a_cell_made_again_is_named(
    toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, left, right, top = diamond()
    for one in (root, left, right, top, cell("beside", 9)):
        make(one, tmp_path)
    extra = root.folder(tmp_path) / "extra.txt"

    def make_again() -> str:
        (root.folder(tmp_path) / "sum.txt").unlink()
        assert make(root, tmp_path) == "computed"
        return capsys.readouterr().err

    assert make_again() == "", "the same files"
    toys.behaviour["root"] = lambda context: extra.write_text("other bytes") and None
    log = root.folder(tmp_path) / "log.txt"
    assert make_again() == (
        "warning: root was made again and its files are others; remove the folders of what was "
        f"made from the old ones, 3, listed in {log}\n"
    )
    (listed,) = re.findall("made from files that were here before: (.*)", log.read_text())
    assert sorted(listed.split(", ")) == sorted(
        str(one.folder(tmp_path)) for one in (left, right, top)
    )
    assert make_again() == "", "the same as the last time"
    shutil.rmtree(root.folder(tmp_path))
    toys.behaviour.clear()
    make(root, tmp_path)
    assert capsys.readouterr().err == "", "nobody knows what it was"


def test_a_file_that_is_not_the_recorded_one_is_made_again_not_read(
    toys: Toys, tmp_path: Path
) -> None:
    """A cell goes on from what it finds: a damaged file had become part of its new record."""
    made, seen = cell("root"), list[bool]()
    file = made.folder(tmp_path) / "kept.txt"

    def keep(context: CellContext) -> None:
        seen.append(file.exists())
        file.write_text("whole")

    toys.behaviour["root"] = keep
    make(made, tmp_path)
    file.write_text("half")
    assert make(made, tmp_path) == "computed"
    assert seen == [False, False]


def test_an_unexpected_error_is_one_line_and_a_traceback_in_the_log(
    toys: Toys, tmp_path: Path
) -> None:
    root, *_ = diamond()
    toys.behaviour["root"] = fail(ZeroDivisionError("first line\nsecond line"))
    with pytest.raises(CellFailedError) as caught:
        make(root, tmp_path)
    log = root.folder(tmp_path) / "log.txt"
    assert str(caught.value) == f"root: ZeroDivisionError: first line (traceback in {log})"
    text = log.read_text()
    assert "Traceback (most recent call last)" in text
    assert "toy_cells.py" in text
    assert "second line" in text


def test_a_known_error_is_in_the_log_without_traceback(toys: Toys, tmp_path: Path) -> None:
    root, *_ = diamond()
    toys.behaviour["root"] = fail(BenchmarkError("accuracy is too low"))
    with pytest.raises(CellFailedError, match=r"^root: accuracy is too low$"):
        make(root, tmp_path)
    text = (root.folder(tmp_path) / "log.txt").read_text()
    assert "ERROR accuracy is too low" in text
    assert "Traceback" not in text


def test_a_number_that_is_not_finite_fails_the_cell(toys: Toys, tmp_path: Path) -> None:
    root, *_ = diamond()
    sum_of = toys.run
    sys.modules["toy_kind"].run = lambda context, recipe: (  # type: ignore[attr-defined]
        sum_of(context, recipe) | {"loss": float("nan")}
    )
    with pytest.raises(CellFailedError, match="loss is nan") as caught:
        make(root, tmp_path)
    assert "\n" not in str(caught.value)
    assert not is_done(root, tmp_path)


def test_a_runs_folder_that_cannot_be_written_is_one_line(toys: Toys, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    runs = tmp_path / "file" / "runs"
    root, *_ = diamond()
    with pytest.raises(CellFailedError) as caught:
        make(root, runs)
    assert str(caught.value) == f"root: {root.folder(runs)}: Not a directory"
    assert not is_done(root, runs)
    assert toys.ran == []


def test_a_device_that_is_not_there(toys: Toys, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--device toaster") as caught:
        run_cell(cell("root"), KINDS, tmp_path, Machine("toaster"), DATA)
    assert "\n" not in str(caught.value)
    assert toys.ran == []


def test_a_gpu_of_a_number_that_is_not_there(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Machine("cuda:1").torch_device() == torch.device("cuda", 1)
    with pytest.raises(UsageError, match=r"^root: --device cuda:2: this machine's last is cuda:1$"):
        run_cell(cell("root"), KINDS, tmp_path, Machine("cuda:2"), DATA)
    assert toys.ran == []


def test_a_finished_cells_memory_is_given_back(
    toys: Toys, held: HeldMemory, tmp_path: Path
) -> None:
    toys.behaviour["one"] = held.hold
    run_cell(cell("one"), KINDS, tmp_path, MACHINE, DATA)
    assert held.gone == [True]
