"""Cells of a kind that adds numbers, for tests of the engine."""

import weakref
from collections.abc import Callable
from pathlib import Path

import msgspec
from torch import nn

from benchmarks.engine.cell import Cell
from benchmarks.engine.cell_runner import run_cell
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.kinds import Metrics
from benchmarks.engine.machine import Machine

KINDS = {"toy": "toy_kind"}
MACHINE, DATA = Machine("cpu", "fp32", 1), DataOptions(Path("nowhere"))
Behaviour = Callable[[CellContext], None]


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cell that writes its number plus those of its inputs."""

    number: int


class Toys:
    """The module of kind ``toy``: the cells it ran, and what it does besides for a label."""

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


class HeldMemory:
    """A model that a cell holds, and whether it was gone each time memory was given back."""

    def __init__(self) -> None:
        self.gone: list[bool] = []
        self._model: weakref.ref[nn.Module] | None = None

    def hold(self, context: CellContext) -> None:
        model = nn.Linear(2, 2)
        self._model = weakref.ref(model)

    def hold_and_fail(self, context: CellContext) -> None:
        """The error's traceback reaches the model."""
        model = nn.Linear(2, 2)
        self._model = weakref.ref(model)
        raise MemoryError("out of memory")

    def is_gone(self) -> bool:
        assert self._model is not None, "no cell has run"
        return self._model() is None

    def give_back(self) -> None:
        self.gone.append(self.is_gone())


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
