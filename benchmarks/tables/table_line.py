"""One row of a table while it is expanded: what it asks for, and the cells that answer."""

from dataclasses import dataclass, field

from benchmarks.engine.cell import Cell
from benchmarks.tables.spec import Request, RowSpec


@dataclass
class Line:
    """One row with its requests and cells by column, a cell for each seed."""

    spec: RowSpec
    requests: dict[str, Request] = field(default_factory=dict)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    evaluated: int = 0  # images that a fidelity metric reads; 0 if there is none in the row
