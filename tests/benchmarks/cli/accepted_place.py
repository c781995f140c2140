"""A folder with records of the accuracy table and its accepted numbers; nothing is trained."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.cli.main import main
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.expand import expand
from benchmarks.tables.spec import read_table
from reports import records as store
from reports.records import Cost, Provenance, Record

SEEDS = 3


def write_records(
    runs: Path, seeds: range, shift: float = 0.0, device: str = "cpu", **made: Any
) -> None:
    """Records of all cells of the accuracy table; ``shift`` moves the students, ``made`` is of
    their provenance."""
    for seed in seeds:
        for cell in cells(seed):
            record = fake(cell, seed, shift, device)
            where = msgspec.structs.replace(record.provenance, **made)
            store.write(cell.folder(runs), msgspec.structs.replace(record, provenance=where))


@cache
def cells(seed: int) -> list[Cell]:
    """What the table needs for one seed."""
    return with_inputs(expand(read_table("accuracy"), Recipes("demo", "digits"), [seed]).targets)


def fake(cell: Cell, seed: int, shift: float, device: str) -> Record:
    spread = (seed % 5) / 1000
    metrics: dict[str, float | int | str | list[float]] = {
        "test_accuracy": 0.9 + spread + (shift if cell.kind == "distillation" else 0.0),
        "teacher_agreement": 0.95 + spread,
        "teacher_agreement_pixels": 0.93 + spread,
        "final_bn_statistics": 10 + spread,
        "fid": 50 + spread,
        "images": 300,
    }
    return Record(
        kind=cell.kind,
        label=cell.label,
        key=cell.key,
        recipe=cell.recipe,
        inputs={role: other.key for role, other in cell.inputs.items()},
        metrics=metrics,
        cost=Cost(1.0, 1.0, 0, 1.0),
        provenance=Provenance("abc", {"torch": "2.11"}, device, "fp32", 1, "Linux", "now"),
        artefacts={},
    )


class Place:
    """Commands in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.runs, self.accepted = folder / "runs", folder / "accepted"

    def run(self, command: str, *more: str) -> int:
        """The exit code."""
        where = ("--runs-dir", str(self.runs), "--accepted-dir", str(self.accepted))
        with pytest.raises(SystemExit) as caught:
            main([command, *where, "--device", "cpu", "--workers", "1", *more])
        assert isinstance(caught.value.code, int)
        return caught.value.code


Answer = tuple[int, str, list[str]]  # exit code, stdout, the lines of stderr
Ask = Callable[..., Answer]
