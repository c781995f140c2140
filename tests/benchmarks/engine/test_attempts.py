"""A cell's cost is that of all the work in it, also of what was stopped on the way."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from benchmarks.engine import attempts
from benchmarks.engine.attempts import FILE, NO_ATTEMPTS, Attempts, AttemptsWriter, read_attempts
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import run_cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.machine import Machine
from benchmarks.tables import registry
from reports.machine import machines_of
from reports.records import Cost, Record, read, write

MACHINE, DATA = Machine("cpu", "fp32", 1), DataOptions()
CELL = Cell("toy", "a cell", {})


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to choose."""


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[CellContext], None]], None]:
    """What the kind ``toy`` does next."""
    module = ModuleType("toy_kind")
    module.Recipe = Recipe  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_kind", module)
    monkeypatch.setitem(registry.KINDS, "toy", "toy_kind")

    def set_behaviour(behaviour: Callable[[CellContext], None]) -> None:
        def run(context: CellContext, recipe: Recipe) -> dict[str, int]:
            behaviour(context)
            return {"images": 3}

        module.run = run  # type: ignore[attr-defined]

    return set_behaviour


def stopped(seconds: float) -> Callable[[CellContext], None]:
    def behaviour(context: CellContext) -> None:
        time.sleep(seconds)
        raise KeyboardInterrupt

    return behaviour


def make(runs: Path) -> Record:
    run_cell(CELL, registry.KINDS, runs, MACHINE, DATA)
    return read(CELL.folder(runs) / "record.json")


def test_what_was_stopped_counts(
    toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    toy(stopped(0.3))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path)
    toy(lambda context: None)
    record = make(tmp_path)
    assert record.cost.seconds >= 0.6
    assert record.cost.images == 3
    assert record.notes == ["made in 3 attempts; the cost is that of all"]
    assert FILE not in record.artefacts


def test_one_attempt_needs_no_note_and_a_found_cell_keeps_its_cost(
    toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    toy(lambda context: time.sleep(0.2))
    record = make(tmp_path)
    assert record.notes == []
    assert record.cost.seconds >= 0.2
    assert make(tmp_path).cost == record.cost


def test_what_a_killed_attempt_took_is_known(tmp_path: Path) -> None:
    """Nothing runs at the end of a killed process: it has said what it took until then."""
    cost = Cost(12.0, 10.0, 0, 300.0)
    with AttemptsWriter(tmp_path, lambda: Attempts(cost, 1, ["cpu"]), every=0.01):
        deadline = time.monotonic() + 20
        while not (tmp_path / FILE).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert read_attempts(tmp_path, "key") == Attempts(cost, 1, ["cpu"])


def test_another_machine_is_named(
    toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    folder = CELL.folder(tmp_path)
    folder.mkdir(parents=True)
    spent = Attempts(Cost(3600.0, 3600.0, 0, 9_000_000.0), 1, ["NVIDIA H100, CPU: Xeon"])
    (folder / FILE).write_bytes(msgspec.json.encode(spent))
    toy(lambda context: None)
    record = make(tmp_path)
    assert record.cost.seconds >= 3600
    assert record.cost.peak_memory_mb == 9_000_000.0
    (note,) = record.notes
    assert note.startswith("made in 2 attempts; the cost is that of all, on NVIDIA H100, CPU: Xeon")
    assert f" and on {record.provenance.cpu}" in note
    assert (record.attempts, len(record.machines)) == (2, 2)
    assert machines_of([record]).count(" and ") == 1, "its cost is of neither alone"
    again = read_attempts(folder, record.key)
    assert (again.attempts, again.machines) == (2, record.machines), "as where a file of it is lost"


def test_the_code_of_every_attempt_is_named(
    toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    """What is there is not made again after an edit: not all is of the last commit."""
    folder = CELL.folder(tmp_path)
    folder.mkdir(parents=True)
    spent = Attempts(Cost(60.0, 60.0, 0, 1.0), 1, ["cpu"], ["0123abc"])
    (folder / FILE).write_bytes(msgspec.json.encode(spent))
    toy(lambda context: None)
    record = make(tmp_path)
    commits = f"0123abc, {record.provenance.commit or 'unknown'}"
    assert record.notes[1:] == [f"made with the code of several commits: {commits}"]


def test_a_damaged_cell_that_is_mended_costs_what_it_cost(
    toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    """Its images are still there: made again, it would seem to have cost nothing."""

    def draw(context: CellContext) -> None:
        (context.folder / "grid.png").write_bytes(b"x")

    toy(draw)
    record = make(tmp_path)
    folder = CELL.folder(tmp_path)
    write(folder, msgspec.structs.replace(record, cost=Cost(500.0, 500.0, 3, 1.0)))
    (folder / "grid.png").unlink()
    assert make(tmp_path).cost.seconds >= 500


@pytest.mark.parametrize("lost", [None, b'{"kind": "toy", '])
def test_a_cell_whose_record_is_lost_costs_what_it_cost(
    lost: bytes | None, toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    toy(lambda context: time.sleep(0.5))
    first = make(tmp_path)
    path = CELL.folder(tmp_path) / "record.json"
    path.unlink() if lost is None else path.write_bytes(lost)
    toy(lambda context: None)
    again = make(tmp_path)
    assert again.cost.seconds >= first.cost.seconds >= 0.5
    assert again.notes == ["made in 2 attempts; the cost is that of all"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"cost": 3}', b"\xff\xfe"])
def test_a_damaged_file_counts_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read_attempts(tmp_path, "key") == NO_ATTEMPTS
    assert read_attempts(tmp_path / "nowhere", "key") == NO_ATTEMPTS


def test_the_record_of_another_cell_does_not_count(
    toy: Callable[[Callable[[CellContext], None]], None], tmp_path: Path
) -> None:
    toy(lambda context: None)
    make(tmp_path)
    assert read_attempts(CELL.folder(tmp_path), CELL.key).attempts == 1
    assert read_attempts(CELL.folder(tmp_path), "another") == NO_ATTEMPTS


def test_a_full_disk_is_not_what_a_cell_fails_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(attempts, "write_atomically", full)
    before = threading.active_count()

    def disturbed() -> None:
        with AttemptsWriter(tmp_path, lambda: NO_ATTEMPTS, every=0.01):
            time.sleep(0.05)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        disturbed()
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == []
