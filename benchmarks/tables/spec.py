"""Table specs: the rows, columns and figures of a table or figure of the paper, read from TOML.

A number in a table is one measurement: the table's defaults, what its row adds, and what its
column adds, the later ones first. `benchmarks.tables.pipeline` turns a measurement into a cell.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec

from benchmarks.recipes.toml_file import read_toml
from naturalinversion.errors import UsageError
from naturalinversion.synthesis import StudentUse
from reports.tables.layout import FigureSpec

FOLDER = Path(__file__).parent
TITLE = "{title}"  # in a label, the title of the row's method


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be measured; empty fields ask for nothing.

    ``evaluation`` is a key of `pipeline.EVALUATIONS`, ``metric`` one of its record's metrics.
    ``settings`` changes the method's recipe and ``protocol`` the one that all methods share, by
    dotted keys; ``variant`` names the change. ``images`` is the paper's number of synthetic images
    (0: all), ``synthesis_student`` the student that a joint or competing method makes its images
    with, where another network is trained on them. ``methods`` are shown together (t-SNE).
    ``pixels`` is how the images of a fidelity metric become pixels (empty: as the protocol says).
    ``ratio`` is the part of the filters that is pruned, ``iteration_fraction`` the part of the
    recipe's iterations (0: all), ``stage`` a block of the teacher. ``claim`` is the id of the
    paper's number (`reports.published`), if it has one. ``metric`` and ``claim`` may name other
    fields in braces.
    """

    teacher: str = ""
    student: str = ""
    synthesis_student: str = ""
    method: str = ""
    variant: str = ""
    settings: dict[str, Any] = {}
    protocol: dict[str, Any] = {}
    methods: list[str] = []
    pixels: Literal["", "denormalize", "minmax"] = ""
    evaluation: str = ""
    metric: str = ""
    images: int = 0
    ratio: float = 0.0
    iteration_fraction: float = 0.0
    stage: str = ""
    claim: str = ""

    def filled(self, text: str, **more: str) -> str:
        """``text`` with fields in braces replaced by their values."""
        values = {name: getattr(self, name) for name in self.__struct_fields__} | more
        return text.format(**values)


class RowSpec(Measurement, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row; ``dataset`` is the half of the paper's table it stands in, empty for both.

    ``name`` is what ``--rows`` calls it; a row with a method is called after it. Rows of one
    ``series`` are one line of a figure. ``label`` and ``series`` may name the method's ``{title}``:
    a method that the table doesn't have gets such rows too, with its own.
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
        images = f"{self.images}-images" if self.images else ""
        return "-".join(part for part in (*parts, ratio, images) if part)


class ColumnSpec(Measurement, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column. Methods of one ``group`` compete; a title is needed where no method has one.

    Only methods that do ``student_use`` with a student have a column like this one, if it is given.
    With ``of_images`` the metric is that of all images that the evaluation reads.
    """

    id: str
    title: str = ""
    note: str = ""
    group: str = ""
    student_use: StudentUse | Literal[""] = ""
    role: Literal["method", "baseline"] = "method"
    unit: str = ""
    higher_is_better: bool = True
    of_images: bool = False


class TableSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table or figure of the paper, or a study of ours (not ``in_paper``, not part of "all").

    ``labels`` head its rows: with ``images`` a row is a number of them, and is left out where fewer
    are made, or where so few are all another's, which its method starts from; ``made`` only says
    how many. The best number is looked for along each row or each column (``rank_along``).
    ``reference_dataset`` is the data set whose published numbers stand beside those of a data set
    that the paper doesn't have. ``published_by`` says whose they are.
    """

    name: str
    title: str
    caption: str
    reference_dataset: str
    labels: list[
        Literal[
            "dataset", "teacher", "student", "method", "label", "ratio", "stage", "images", "made"
        ]
    ]
    rank_along: Literal["row", "column", "none"] = "row"
    defaults: Measurement = Measurement()
    columns: list[ColumnSpec]
    rows: list[RowSpec]
    figures: list[FigureSpec] = []
    in_paper: bool = True
    published_by: str = "the paper's numbers"

    @property
    def datasets(self) -> list[str]:
        """The data sets that the paper has numbers for."""
        named = dict.fromkeys(row.dataset for row in self.rows if row.dataset)
        return list(named) or [self.reference_dataset]


def tables() -> list[str]:
    """The names of the tables and figures there are."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_table(name: str) -> TableSpec:
    """The spec of table ``name``. Raises `UsageError` when there is none or it is malformed."""
    path = FOLDER / f"{name}.toml"
    if name not in tables():
        raise UsageError(f"unknown table '{name}': one of {', '.join(tables())}")
    return read_toml(path, TableSpec)


def merged(*parts: Measurement) -> Measurement:
    """One measurement of several; where two say something, the later one, key by key."""
    values: dict[str, Any] = {}
    for part in parts:
        for name in Measurement.__struct_fields__:
            value = getattr(part, name)
            if isinstance(value, dict):
                value = {**values.get(name, {}), **value}
            if value:
                values[name] = value
    return Measurement(**values)
