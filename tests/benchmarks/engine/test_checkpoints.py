"""What interrupted work goes on from: only on the files it began with, and gone when it is done."""

from pathlib import Path

import pytest

from benchmarks.engine import executor
from benchmarks.engine.attempts import FILE as SPENT
from benchmarks.engine.checkpoints import PREPARE, TRAINING
from benchmarks.engine.context import CellContext
from naturalinversion.errors import BenchmarkError
from tests.benchmarks.engine.toy_cells import DATA, KINDS, MACHINE, Toys, cell


@pytest.mark.parametrize("other_files", [False, True])
def test_a_cell_goes_on_from_its_checkpoint_unless_an_input_was_made_again_otherwise(
    other_files: bool, toys: Toys, tmp_path: Path
) -> None:
    source = cell("source")
    reader = cell("reader", 5, read=source)
    found = []

    def half(context: CellContext) -> None:
        found.append((context.folder / TRAINING).exists())
        (context.folder / TRAINING).write_text("half")
        raise BenchmarkError("no more time")

    def write_more(context: CellContext) -> None:
        if other_files:
            (context.folder / "more").touch()

    toys.behaviour["reader"] = half
    executor.run([reader], KINDS, tmp_path, MACHINE, DATA)
    executor.run([reader], KINDS, tmp_path, MACHINE, DATA)
    assert found == [False, True]

    toys.behaviour["source"] = write_more
    (source.folder(tmp_path) / "sum.txt").write_text("damaged")
    executor.run([reader], KINDS, tmp_path, MACHINE, DATA)
    assert found[2:] == [not other_files]
    log = (reader.folder(tmp_path) / "log.txt").read_text()
    assert ("begins again" in log) is other_files

    toys.behaviour.clear()
    assert not executor.run([reader], KINDS, tmp_path, MACHINE, DATA).failed
    left = {path.name for path in reader.folder(tmp_path).glob(".*")}
    assert left == {".lock", SPENT}


def test_what_a_process_killed_after_its_record_left_is_removed(toys: Toys, tmp_path: Path) -> None:
    one = cell("one")
    executor.run([one], KINDS, tmp_path, MACHINE, DATA)
    left = [one.folder(tmp_path) / name for name in (TRAINING, PREPARE)]
    for path in left:
        path.touch()
    assert executor.run([one], KINDS, tmp_path, MACHINE, DATA).cached == 1
    assert toys.ran == ["one"]
    assert not any(path.exists() for path in left)
