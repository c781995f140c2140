"""Many cells: what is skipped or computed again, what a failure costs, and their order."""

import sys
from pathlib import Path

import pytest

from benchmarks.engine import executor
from benchmarks.engine.cell_runner import is_done
from benchmarks.engine.cell_status import cell_state, why_failed
from benchmarks.engine.context import CellContext
from benchmarks.engine.deadline import TimeIsUpError
from naturalinversion.errors import (
    BenchmarkError,
    MissingError,
    SettingError,
    StoreError,
    TeacherError,
    UsageError,
)
from reports.records import SchemaError, folder_of, load_all, read
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


def test_the_same_again_runs_nothing(toys: Toys, tmp_path: Path) -> None:
    _, _, _, top = diamond()
    first = executor.run([top], KINDS, tmp_path, MACHINE, DATA)
    assert (first.computed, first.cached) == (4, 0)
    assert sorted(toys.ran) == ["left", "right", "root", "top"]
    assert (toys.ran[0], toys.ran[-1]) == ("root", "top")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}
    second = executor.run([top], KINDS, tmp_path, MACHINE, DATA)
    assert (second.computed, second.cached, len(toys.ran)) == (0, 4, 4)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")} == before
    assert make(top, tmp_path) == "cached"
    assert (top.folder(tmp_path) / "sum.txt").read_text() == "11"


def test_a_cell_under_another_label_is_the_one_that_is_there(toys: Toys, tmp_path: Path) -> None:
    """As one table calls a setting by its name that another table's recipe has anyway."""
    make(cell("first"), tmp_path)
    reader = cell("reader", 5, read=cell("second"))
    summary = executor.run([reader], KINDS, tmp_path, MACHINE, DATA)
    assert (summary.computed, summary.cached) == (1, 1)
    assert toys.ran == ["first", "reader"]
    assert set(load_all(tmp_path)) == {cell("first").key, reader.key}


def test_a_cell_that_was_begun_under_another_label_goes_on_there(
    toys: Toys, tmp_path: Path
) -> None:
    one, two = cell("one"), cell("two")

    def stop(context: CellContext) -> None:
        (context.folder / "shard").touch()
        raise KeyboardInterrupt

    toys.behaviour["one"] = stop
    with pytest.raises(KeyboardInterrupt):
        make(one, tmp_path)
    toys.behaviour.clear()
    assert make(two, tmp_path) == "computed"
    (record,) = load_all(tmp_path).values()
    assert (folder_of(tmp_path, record) / "shard").is_file()
    assert make(one, tmp_path) == make(two, tmp_path) == "cached"


@pytest.mark.parametrize("harm", ["changed", "deleted", "truncated", "foreign", "other key"])
def test_a_damaged_cell_is_named_and_computed_again(
    harm: str, toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, left, *_ = diamond()
    executor.run([left], KINDS, tmp_path, MACHINE, DATA)
    artefact, record = (root.folder(tmp_path) / name for name in ("sum.txt", "record.json"))
    whole = record.read_bytes()
    if harm == "changed":
        artefact.write_text("7")  # weights of another training, say
    elif harm == "deleted":
        artefact.unlink()
    elif harm == "truncated":
        record.write_bytes(whole[: len(whole) // 2])
    elif harm == "foreign":
        record.write_text('{"schema": 1, "name": "something else"}')
    else:
        record.write_bytes(whole.replace(root.key.encode(), left.key.encode()))
    assert not is_done(root, tmp_path)
    capsys.readouterr()
    summary = executor.run([left], KINDS, tmp_path, MACHINE, DATA)
    assert (summary.computed, summary.cached) == (1, 1)
    assert toys.ran == ["root", "left", "root"]
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "made again" in line]
    assert line.startswith("root is made again: ")
    assert (artefact if harm in ("changed", "deleted") else record).name in line
    assert artefact.read_text() == "1"
    assert read(record).metrics == {"sum": 1, "images": 3}


def test_a_record_of_another_schema_is_refused_and_stays(toys: Toys, tmp_path: Path) -> None:
    root, *_ = diamond()
    make(root, tmp_path)
    path = root.folder(tmp_path) / "record.json"
    older = path.read_text().replace('"schema": 1', '"schema": 0')
    path.write_text(older)
    with pytest.raises(SchemaError, match="schema 0 is older than this program's 1"):
        executor.run([root], KINDS, tmp_path, MACHINE, DATA)
    assert path.read_text() == older


def test_an_interrupted_run_goes_on_where_it_was(toys: Toys, tmp_path: Path) -> None:
    _, left, *_ = diamond()
    top = cell("top", left=left)
    toys.behaviour["top"] = fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        executor.run([top], KINDS, tmp_path, MACHINE, DATA)
    toys.behaviour.clear()
    summary = executor.run([top], KINDS, tmp_path, MACHINE, DATA)
    assert (summary.computed, summary.cached) == (1, 2)
    assert toys.ran == ["root", "left", "top", "top"]


def test_a_failed_cell_blocks_only_what_reads_it(toys: Toys, tmp_path: Path) -> None:
    _, left, right, top = diamond()
    beyond = cell("beyond", 5, top=top)
    alone = cell("alone", 6, right=right)
    toys.behaviour["left"] = fail(BenchmarkError("accuracy is too low"))
    summary = executor.run([beyond, alone], KINDS, tmp_path, MACHINE, DATA)
    assert {name: str(error) for name, error in summary.failed.items()} == {
        f"left-{left.key}": "left: accuracy is too low"
    }
    assert summary.blocked == [f"top-{top.key}", f"beyond-{beyond.key}"]
    assert summary.computed == 3
    assert sorted(toys.ran) == ["alone", "left", "right", "root"]
    toys.behaviour.clear()
    mended = executor.run([beyond, alone], KINDS, tmp_path, MACHINE, DATA)
    assert (mended.computed, mended.cached, mended.failed, mended.blocked) == (3, 3, {}, [])


def test_what_failed_and_what_that_blocks_is_known_where_the_time_ends_the_run(
    toys: Toys, tmp_path: Path
) -> None:
    failing, late = cell("failing", 1), cell("late", 2)
    reader = cell("reader", 3, read=failing)
    toys.behaviour |= {"failing": fail(BenchmarkError("no")), "late": fail(TimeIsUpError())}
    summary = executor.Summary()
    with pytest.raises(TimeIsUpError):
        executor.run([reader, late], KINDS, tmp_path, MACHINE, DATA, summary=summary)
    assert toys.ran == ["failing", "late"], "the longest chain first"
    assert list(summary.failed) == [failing.name]
    assert summary.blocked == [reader.name]


@pytest.mark.parametrize("code", [0, 7])
def test_somebodys_method_that_exits_fails_its_cell_and_not_the_run(
    code: int, toys: Toys, tmp_path: Path
) -> None:
    """The command ended with that code, 0 say, and without a report."""
    *_, top = diamond()
    beside = cell("beside", 9)
    toys.behaviour["left"] = lambda context: sys.exit(code)
    summary = executor.run([top, beside], KINDS, tmp_path, MACHINE, DATA)
    (error,) = summary.failed.values()
    assert str(error).startswith(f"left: SystemExit: {code} (traceback in ")
    assert is_done(beside, tmp_path)


def test_failed_cells_of_one_label_are_all_in_the_summary(toys: Toys, tmp_path: Path) -> None:
    """As those of the two ways to see pixels are."""
    alike = [cell("alike", number) for number in (1, 2)]
    toys.behaviour["alike"] = fail(BenchmarkError("accuracy is too low"))
    summary = executor.run(alike, KINDS, tmp_path, MACHINE, DATA)
    assert set(summary.failed) == {f"alike-{one.key}" for one in alike}


def test_progress_goes_to_stderr_one_line_per_cell(
    toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, _, top = diamond()
    toys.behaviour["left"] = fail(BenchmarkError("accuracy is too low"))
    executor.run([top], KINDS, tmp_path, MACHINE, DATA)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line[:5] for line in lines] == ["[1/4]", "[2/4]", "[3/4]"]
    assert sorted(line[6:].split(":")[0] for line in lines) == ["toy left", "toy right", "toy root"]
    (failed,) = [line for line in lines if "toy left" in line]
    assert failed.endswith("FAILED: left: accuracy is too low")


@pytest.mark.parametrize("error", [UsageError("no such device"), MissingError("no such file")])
def test_what_the_user_asked_wrongly_ends_the_run_at_once_with_its_own_code(
    error: BenchmarkError, toys: Toys, tmp_path: Path
) -> None:
    *_, top = diamond()
    toys.behaviour["root"] = fail(error)
    with pytest.raises(type(error), match=f"^root: {error}$"):
        executor.run([top, cell("last", 9)], KINDS, tmp_path, MACHINE, DATA)
    assert toys.ran == ["root"], "an hour of other cells before the message helps nobody"


@pytest.mark.parametrize(
    "error", [UsageError("no such device"), UsageError("root: no such device")]
)
def test_what_ends_the_run_names_its_cell_once(
    error: UsageError, toys: Toys, tmp_path: Path
) -> None:
    toys.behaviour["root"] = fail(error)
    with pytest.raises(UsageError, match=r"^root: no such device$"):
        make(cell("root"), tmp_path)


@pytest.mark.parametrize(
    "error", [SettingError("image sides of 18"), TeacherError("no batch norm"), StoreError("torn")]
)
def test_what_one_method_refuses_fails_its_cell_and_says_so(
    error: Exception, toys: Toys, tmp_path: Path
) -> None:
    """It ended the run, each time it was begun again, and other methods were never made."""
    refused, beside = cell("ni"), cell("di", 2)
    toys.behaviour["ni"] = fail(error)
    summary = executor.run([refused, beside], KINDS, tmp_path, MACHINE, DATA)
    assert {name: str(failed) for name, failed in summary.failed.items()} == {
        refused.name: f"ni: {error}"
    }
    assert is_done(beside, tmp_path)
    assert cell_state(refused, tmp_path) == "failed"
    assert why_failed(refused, tmp_path) == str(error)


def test_what_a_failed_cell_held_is_let_go(toys: Toys, held: HeldMemory, tmp_path: Path) -> None:
    """Its error is kept until the end of the run; the next cell needs the device's memory."""
    toys.behaviour["one"] = held.hold_and_fail
    one = cell("one")
    summary = executor.run([one], KINDS, tmp_path, MACHINE, DATA)
    assert "MemoryError: out of memory" in str(summary.failed[one.name])
    assert held.is_gone()
    assert held.gone[-1], "after it was let go"


def test_longest_chain_first() -> None:
    """With two workers the cell that most others wait for must not come last."""
    short = [cell(f"short{n}", n) for n in range(3)]
    long = cell("a", 10)
    for n in range(3):
        long = cell(f"b{n}", 20 + n, previous=long)
    cells = executor.with_inputs([*short, long])
    schedule = executor.Scheduler(cells, cells)
    first = schedule.next()
    assert first is not None
    assert first.label == "a"
