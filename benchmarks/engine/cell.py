"""Cells: one unit of work each, named by the hash of its recipe and of the cells it reads.

A cell's folder is ``runs/<kind>/<label>-<key>``, with the label that it was first made under.
Commands that need the same cell find it by its key, so it runs once; a changed recipe is another
cell, so nothing old is mistaken for it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import msgspec

from reports.records import FILE_NAME as RECORD

FLOOR = "asked_floor"  # of a classifier: the command's, in place of its recipe's
KEY_SCHEMA = 2  # raised when cells of old runs must not be reused


class Cell(msgspec.Struct, frozen=True, dict=True):
    """``recipe`` is plain data (what JSON can hold); ``inputs`` maps a role to another cell."""

    kind: str
    label: str
    recipe: dict[str, Any]
    inputs: dict[str, "Cell"] = {}

    @cached_property
    def key(self) -> str:
        """Twelve hexadecimal digits; what changes no number does not count, as the label."""
        inputs = {role: cell.key for role, cell in self.inputs.items()}
        recipe = {
            name: value for name, value in _without_path(self.recipe).items() if name != FLOOR
        }
        content = msgspec.json.encode([KEY_SCHEMA, self.kind, recipe, inputs], order="sorted")
        return hashlib.sha256(content).hexdigest()[:12]

    @property
    def name(self) -> str:
        """``<label>-<key>``: labels alone may be shared."""
        return f"{self.label}-{self.key}"

    def folder(self, runs: Path) -> Path:
        """Where the cell's artefacts and its record lie, or will.

        A finished or begun one is found by its key, whatever its label was there.
        """
        own = runs / self.kind / self.name
        if (own / RECORD).exists():
            return own
        others = [path for path in sorted(own.parent.glob(f"*-{self.key}")) if path != own]
        recorded = [path for path in others if (path / RECORD).exists()]
        begun = [path for path in (own, *others) if path.is_dir()]
        return next(iter([*recorded, *begun]), own)


def _without_path(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe that knows the content of its folder of images, without where that lies."""
    if not {"content", "dataset"} <= recipe.keys():
        return recipe
    return recipe | {"dataset": recipe["dataset"].partition(":")[0]}


def make_cell(kind: str, label: str, recipe: msgspec.Struct, inputs: Mapping[str, Cell]) -> Cell:
    """A cell of a typed recipe."""
    return Cell(kind, label, msgspec.to_builtins(recipe), dict(inputs))


def with_inputs(targets: Iterable[Cell]) -> list[Cell]:
    """The targets and everything they read, each once, inputs before what reads them."""
    cells: dict[str, Cell] = {}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    waiting = list(targets)
    while waiting:
        cell = waiting.pop()
        if cell.key in cells:
            continue
        cells[cell.key] = cell
        sorter.add(cell.key, *(c.key for c in cell.inputs.values()))
        waiting.extend(cell.inputs.values())
    return [cells[key] for key in sorter.static_order()]
