"""Table specs: the rows, columns and figures of a table or figure of the paper, read from TOML.

A number in a table is one request: what the table asks of all, what its row adds, and what its
column adds, the later ones first. `benchmarks.tables.pipeline` turns a request into a cell.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec

from benchmarks.recipes.toml_file import read_toml
from naturalinversion.errors import UsageError

FOLDER = Path(__file__).parent


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be measured; empty fields ask for nothing.

    ``outcome`` is a key of `pipeline.EVALUATIONS`, ``metric`` one of its record's metrics.
    ``settings`` are switches of the method and ``protocol`` of what all share, keys with dots in
    them; ``variant`` is the name they go by. ``images`` is the
    paper's number of synthetic images, 0 all; ``grown_with`` the student of a joint or competing
    method whose images another network is trained on. ``budget`` is a share of the recipe's
    iterations, 0 all. ``published`` is the id of the paper's number. ``metric`` and ``published``
    may name other fields in braces.
    """

    teacher: str = ""
    student: str = ""
    grown_with: str = ""
    method: str = ""
    variant: str = ""
    settings: dict[str, Any] = {}
    protocol: dict[str, Any] = {}
    sets: list[str] = []
    outcome: str = ""
    metric: str = ""
    images: int = 0
    ratio: float = 0.0
    budget: float = 0.0
    stage: str = ""
    published: str = ""

    def filled(self, text: str, **more: str) -> str:
        """``text`` with fields in braces replaced by their values."""
        values = {name: getattr(self, name) for name in self.__struct_fields__} | more
        return text.format(**values)


class RowSpec(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row; ``dataset`` is the half of the paper's table it stands in, empty for both.

    ``name`` is what ``--rows`` calls it; a row with a method is called after it. Rows of one
    ``series`` are one line of a figure.
    """

    dataset: str = ""
    label: str = ""
    series: str = ""
    role: Literal["method", "baseline"] = "method"

    @property
    def name(self) -> str:
        """``resnet34-resnet18``, ``ni``, ``0.9``: whatever tells rows apart."""
        parts = (self.teacher, self.student, self.variant or self.method, self.stage)
        ratio = f"{self.ratio:g}" if self.ratio else ""
        return "-".join(part for part in (*parts, ratio) if part)


class ColumnSpec(Request, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column. Methods of one ``group`` compete; a title is needed where no method has one."""

    id: str
    title: str = ""
    note: str = ""
    group: str = ""
    role: Literal["method", "baseline"] = "method"
    unit: str = ""
    higher_is_better: bool = True


class FigureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One figure of the table's cells.

    ``panels`` are loss terms with their titles, or in a tradeoff columns with theirs; there ``x``
    is the column that they stand against.
    """

    type: Literal["grids", "curves", "scatter", "lines", "tradeoff"]
    title: str
    caption: str
    first_rows: int = 0
    panels: dict[str, str] = {}
    x: str = ""
    x_label: str = ""
    y_label: str = ""


class TableSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table or figure. ``labels`` head its rows; ``contest`` says where the best is looked for.

    ``orientation`` is the data set whose published numbers stand beside any other data set's.
    What is not ``of_paper`` is a study or a check of ours, which no one gets who asks for all.
    """

    name: str
    title: str
    caption: str
    orientation: str
    labels: list[Literal["dataset", "teacher", "student", "method", "label", "ratio", "stage"]]
    contest: Literal["row", "column"] = "row"
    all: Request = Request()
    row: list[RowSpec]
    column: list[ColumnSpec]
    figure: list[FigureSpec] = []
    of_paper: bool = True

    @property
    def datasets(self) -> list[str]:
        """The data sets that the paper has numbers for."""
        return list(dict.fromkeys(row.dataset for row in self.row if row.dataset)) or [
            self.orientation
        ]


def tables() -> list[str]:
    """The names of the tables and figures there are."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_table(name: str) -> TableSpec:
    """The spec of table ``name``. Raises `UsageError` when there is none or it is malformed."""
    path = FOLDER / f"{name}.toml"
    if name not in tables():
        raise UsageError(f"unknown table '{name}': one of {', '.join(tables())}")
    return read_toml(path, TableSpec)


def merged(*parts: Request) -> Request:
    """One request of several; where two say something, the later one, key by key."""
    values: dict[str, Any] = {}
    for part in parts:
        for name in Request.__struct_fields__:
            value = getattr(part, name)
            if isinstance(value, dict):
                value = {**values.get(name, {}), **value}
            if value:
                values[name] = value
    return Request(**values)
