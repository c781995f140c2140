"""One cell at a time and many: what is recorded, what is skipped, what a failure costs."""

import os
import platform
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import torch
from torch import nn

from benchmarks.engine import executor
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import CellFailedError, is_done, run_cell
from benchmarks.engine.cell_status import cell_state, computed_by
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine
from naturalinversion.errors import BenchmarkError, MissingError, UsageError
from reports.records import SchemaError, read

KINDS = {"toy": "toy_kind"}
MACHINE, DATA = Machine("cpu", "fp32", 1), DataOptions(Path("nowhere"))
Behaviour = Callable[[CellContext], None]


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cell that writes its number plus those of its inputs."""

    number: int


class Toys:
    """What the kind ``toy`` did, and what it is to do besides."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.behaviour: dict[str, Behaviour] = {}

    def run(self, context: CellContext, recipe: Recipe) -> Metrics:
        self.ran.append(context.label)
        total = recipe.number
        for folder in context.inputs.values():
            total += int((folder / "sum.txt").read_text())
        self.behaviour.get(context.label, lambda context: None)(context)
        (context.folder / "sum.txt").write_text(str(total))
        context.log.info("the sum is %d", total)
        return {"sum": total, "images": 3}


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """The kind ``toy``."""
    found, module = Toys(), ModuleType("toy_kind")
    module.Recipe, module.run = Recipe, found.run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_kind", module)
    return found


def cell(label: str, number: int = 1, **inputs: Cell) -> Cell:
    return Cell("toy", label, {"number": number}, inputs)


def make(made: Cell, runs: Path) -> str:
    return run_cell(made, KINDS, runs, MACHINE, DATA)


def fail(error: BaseException) -> Behaviour:
    def behaviour(context: CellContext) -> None:
        raise error

    return behaviour


def diamond() -> tuple[Cell, Cell, Cell, Cell]:
    root = cell("root", 1)
    left, right = cell("left", 2, root=root), cell("right", 3, root=root)
    return root, left, right, cell("top", 4, left=left, right=right)


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


@pytest.mark.parametrize("harm", ["changed", "deleted", "record cut short"])
def test_what_is_not_the_file_of_the_record_is_said_and_made_again(
    harm: str, toys: Toys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, *_ = diamond()
    executor.run([root], KINDS, tmp_path, MACHINE, DATA)
    folder = root.folder(tmp_path)
    if harm == "changed":
        (folder / "sum.txt").write_text("7")  # weights of another training, say
    elif harm == "deleted":
        (folder / "sum.txt").unlink()
    else:
        (folder / "record.json").write_text('{"schema": 1,')
    assert not is_done(root, tmp_path)
    capsys.readouterr()
    summary = executor.run([root], KINDS, tmp_path, MACHINE, DATA)
    assert (summary.computed, summary.cached) == (1, 0)
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "made again" in line]
    assert said.startswith("root is made again: ")
    assert ("record.json" if harm == "record cut short" else "sum.txt") in said
    assert (folder / "sum.txt").read_text() == "1"


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
    _, _, right, top = diamond()
    beyond = cell("beyond", 5, top=top)
    alone = cell("alone", 6, right=right)
    toys.behaviour["left"] = fail(BenchmarkError("accuracy is too low"))
    summary = executor.run([beyond, alone], KINDS, tmp_path, MACHINE, DATA)
    assert list(summary.failed) == ["left"]
    assert str(summary.failed["left"]) == "left: accuracy is too low"
    assert summary.blocked == ["top", "beyond"]
    assert summary.computed == 3
    assert sorted(toys.ran) == ["alone", "left", "right", "root"]
    toys.behaviour.clear()
    mended = executor.run([beyond, alone], KINDS, tmp_path, MACHINE, DATA)
    assert (mended.computed, mended.cached, mended.failed, mended.blocked) == (3, 3, {}, [])


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
    with pytest.raises(type(error), match=str(error)):
        executor.run([top, cell("last", 9)], KINDS, tmp_path, MACHINE, DATA)
    assert toys.ran == ["root"], "an hour of other cells before the message helps nobody"


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
    assert "test_cell_runner.py" in text
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


@pytest.mark.parametrize("damage", ["truncated", "foreign", "other key", "artefact gone"])
def test_a_damaged_cell_is_made_again(damage: str, toys: Toys, tmp_path: Path) -> None:
    root, left, *_ = diamond()
    executor.run([left], KINDS, tmp_path, MACHINE, DATA)
    record = root.folder(tmp_path) / "record.json"
    whole = record.read_bytes()
    if damage == "truncated":
        record.write_bytes(whole[: len(whole) // 2])
    elif damage == "foreign":
        record.write_text('{"schema": 1, "name": "something else"}')
    elif damage == "other key":
        record.write_bytes(whole.replace(root.key.encode(), left.key.encode()))
    else:
        (root.folder(tmp_path) / "sum.txt").unlink()
    assert not is_done(root, tmp_path)
    summary = executor.run([left], KINDS, tmp_path, MACHINE, DATA)
    assert (summary.computed, summary.cached) == (1, 1)
    assert toys.ran == ["root", "left", "root"]
    assert read(record).metrics == {"sum": 1, "images": 3}


def test_a_runs_folder_that_cannot_be_written_is_one_line(toys: Toys, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    runs = tmp_path / "file" / "runs"
    root, *_ = diamond()
    with pytest.raises(CellFailedError) as caught:
        make(root, runs)
    assert str(caught.value) == f"root: {root.folder(runs)}: Not a directory"
    assert not is_done(root, runs)
    assert toys.ran == []


HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(toys: Toys, tmp_path: Path) -> Iterator[tuple[Cell, subprocess.Popen[str]]]:
    """A cell whose lock another process holds until its stdin is closed."""
    root, *_ = diamond()
    folder = root.folder(tmp_path / "runs")
    folder.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(folder / ".lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield root, process
        finally:
            process.kill()


@pytest.mark.parametrize("other_finished", [True, False])
def test_a_cell_at_work_in_another_process_is_waited_for(
    other_finished: bool,
    held: tuple[Cell, subprocess.Popen[str]],
    toys: Toys,
    tmp_path: Path,
) -> None:
    """And not made a second time, if the other process made it."""
    root, process = held
    runs = tmp_path / "runs"
    assert cell_state(root, runs) == "at work"
    outcome: list[str] = []
    waiting = threading.Thread(target=lambda: outcome.append(make(root, runs)))
    waiting.start()
    waiting.join(0.3)
    assert waiting.is_alive()
    assert toys.ran == []
    if other_finished:
        make(root, tmp_path / "elsewhere")
        toys.ran.clear()
        shutil.copytree(
            root.folder(tmp_path / "elsewhere"),
            root.folder(runs),
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".lock"),
        )
    process.communicate()
    waiting.join(20)
    assert outcome == ["cached" if other_finished else "computed"]
    assert toys.ran == ([] if other_finished else ["root"])
    assert cell_state(root, runs) == "done"


def test_status_says_where_a_cell_is_made(toys: Toys, tmp_path: Path) -> None:
    root, said = cell("root"), list[str]()

    def look(context: CellContext) -> None:
        said.append(computed_by(root, tmp_path, cell_state(root, tmp_path)))

    toys.behaviour["root"] = look
    make(root, tmp_path)
    assert said == [f"{platform.node()}, process {os.getpid()}"]
    assert computed_by(root, tmp_path, cell_state(root, tmp_path)) == ""


def test_a_lock_left_by_a_killed_process_holds_nobody_up(
    held: tuple[Cell, subprocess.Popen[str]], tmp_path: Path
) -> None:
    root, process = held
    process.kill()
    process.wait()
    assert (root.folder(tmp_path / "runs") / ".lock").exists()
    assert cell_state(root, tmp_path / "runs") == "to do"
    assert make(root, tmp_path / "runs") == "computed"


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
    with pytest.raises(UsageError, match=r"^--device cuda:2: this machine's last is cuda:1$"):
        run_cell(cell("root"), KINDS, tmp_path, Machine("cuda:2"), DATA)
    assert toys.ran == []


def test_a_finished_cells_memory_is_given_back(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[nn.Module]] = []
    given_back: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(held[0]() is None))

    def behaviour(context: CellContext) -> None:
        model = nn.Linear(2, 2)
        held.append(weakref.ref(model))

    toys.behaviour["one"] = behaviour
    run_cell(cell("one"), tmp_path, MACHINE, DATA)
    assert given_back == [True]


def test_what_a_failed_cell_held_is_let_go(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is told at the end of the run; a device's memory is needed by the next cell."""
    held: list[weakref.ref[nn.Module]] = []
    given_back: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(held[0]() is None))

    def behaviour(context: CellContext) -> None:
        model = nn.Linear(2, 2)
        held.append(weakref.ref(model))
        raise MemoryError("out of memory")

    toys.behaviour["one"] = behaviour
    summary = executor.run([cell("one")], KINDS, tmp_path, MACHINE, DATA)
    assert "MemoryError: out of memory" in str(summary.failed["one"])
    assert held[0]() is None
    assert given_back[-1], "after it was let go"


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
