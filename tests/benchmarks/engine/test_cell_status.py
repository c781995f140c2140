"""A cell at work in another process: it is waited for, and its machine is named."""

import errno
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks.engine import cell_runner, executor
from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import CellFailedError
from benchmarks.engine.cell_status import cell_state, computed_by, why_failed
from benchmarks.engine.context import CellContext
from benchmarks.engine.executor import Summary
from naturalinversion.errors import BenchmarkError
from tests.benchmarks.engine.toy_cells import (
    DATA,
    KINDS,
    MACHINE,
    Toys,
    cell,
    diamond,
    make,
)

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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not made a second time, if the other process made it."""
    monkeypatch.setattr(executor, "RETRY_SECONDS", 0.02)
    root, process = held
    runs = tmp_path / "runs"
    assert cell_state(root, runs) == "at work"
    assert make(root, runs) == "busy"
    found: list[Summary] = []
    waiting = threading.Thread(
        target=lambda: found.append(executor.run([root], KINDS, runs, MACHINE, DATA))
    )
    waiting.start()
    waiting.join(0.15)
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
    (summary,) = found
    assert (summary.cached, summary.computed) == ((1, 0) if other_finished else (0, 1))
    assert toys.ran == ([] if other_finished else ["root"])
    assert cell_state(root, runs) == "done"


def test_status_says_where_a_cell_is_made(toys: Toys, tmp_path: Path) -> None:
    root, said = cell("root"), list[str]()

    def read_status(context: CellContext) -> None:
        said.append(computed_by(root, tmp_path, cell_state(root, tmp_path)))

    toys.behaviour["root"] = read_status
    make(root, tmp_path)
    assert said == [f"{platform.node()}, process {os.getpid()}"]
    assert computed_by(root, tmp_path, cell_state(root, tmp_path)) == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BenchmarkError("72.6% is below the floor"), "72.6% is below the floor"),
        (RuntimeError("a kernel\nand more"), "RuntimeError: a kernel"),
    ],
)
def test_a_cell_that_failed_says_why_until_it_is_made(
    error: Exception,
    reason: str,
    toys: Toys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, write = cell("root"), cell_runner.write_atomically

    def disk_is_full(path: Path, content: bytes) -> None:
        if path.name == cell_runner.FAILURE:
            raise OSError(28, "No space left on device")
        write(path, content)

    def fail(context: CellContext) -> None:
        raise error

    toys.behaviour["root"] = fail
    with monkeypatch.context() as patch:
        patch.setattr(cell_runner, "write_atomically", disk_is_full)
        with pytest.raises(CellFailedError, match=re.escape(reason)):
            make(root, tmp_path)
    assert cell_state(root, tmp_path) == "to do", "nothing could be written"
    with pytest.raises(CellFailedError, match=re.escape(reason)):
        make(root, tmp_path)
    assert (cell_state(root, tmp_path), why_failed(root, tmp_path)) == ("failed", reason)
    del toys.behaviour["root"]
    make(root, tmp_path)
    assert (cell_state(root, tmp_path), why_failed(root, tmp_path)) == ("done", "")


def test_a_folder_that_may_only_be_read_shows_what_is_at_work_and_what_failed(
    held: tuple[Cell, subprocess.Popen[str]],
    toys: Toys,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both were called "to do" there."""
    (root, _), failed, runs = held, cell("failed", 2), tmp_path / "runs"
    toys.behaviour["failed"] = lambda context: 1 // 0 and None
    with pytest.raises(CellFailedError):
        make(failed, runs)
    lock, opened = failed.folder(runs) / ".lock", os.open

    def open_to_read(path: str | Path, flags: int, *more: int, **others: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, flags, *more, **others)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_to_read)
        assert cell_state(root, runs) == "at work"
        assert cell_state(failed, runs) == "failed"
        lock.unlink()
        assert cell_state(failed, runs) == "failed"
    assert not lock.exists(), "who looks makes no lock"


def test_who_looks_at_a_lock_is_not_taken_for_one_who_works(toys: Toys, tmp_path: Path) -> None:
    """Two people ask for the status at the same moment."""
    lock = cell("root").folder(tmp_path) / ".lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with lock.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert cell_state(cell("root"), tmp_path) == "to do"
    with FileLock(lock):
        assert cell_state(cell("root"), tmp_path) == "at work"


def test_a_lock_left_by_a_killed_process_holds_nobody_up(
    held: tuple[Cell, subprocess.Popen[str]], tmp_path: Path
) -> None:
    root, process = held
    process.kill()
    process.wait()
    assert (root.folder(tmp_path / "runs") / ".lock").exists()
    assert cell_state(root, tmp_path / "runs") == "to do"
    assert make(root, tmp_path / "runs") == "computed"


def test_a_state_is_found_without_reading_an_artefact(
    toys: Toys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, *_ = diamond()
    make(root, tmp_path)
    monkeypatch.setattr(cell_runner, "file_sha256", lambda path: pytest.fail(f"{path} was read"))
    assert cell_state(root, tmp_path) == "done"
    (root.folder(tmp_path) / "sum.txt").unlink()
    assert cell_state(root, tmp_path) == "to do"
