"""Tables: what they are made of. The harness writes them, the reports read them.

A table names record keys and ids of published numbers, never values: rows x columns of cells, one
key per seed. Every column has a metric of its own. Metrics in records are fractions for accuracies
and are shown times 100 when the unit is ``%``, times 1,000 when it is ``×10³``. This module
imports no plotting library.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Literal

import msgspec

SCHEMA = 3
LONGEST_PART = 60  # letters of a name
GRID_ROWS, GRID_COLUMNS = 6, 10  # tiles of the sample picture that a set of images has
#: Files in a record's folder that figures read, by the type of the figure.
FIGURE_FILES = {"loss_curves": "losses.csv", "scatter": "embedding.csv"}

#: What numbers of a unit are multiples of the record's.
FACTORS = {"%": 100.0, "×10³": 1000.0}  # noqa: RUF001

Role = Literal["baseline", "method"]


class FigureSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One figure, drawn from the numbers, files and pictures of the table that it belongs to.

    - ``image_grid``: ``first_rows`` rows of each of the table's pictures, below ``classes``.
    - ``loss_curves``: a curve per row; ``panels`` are loss terms with their titles.
    - ``scatter``: the t-SNE points of the first record.
    - ``lines``: a line per column against ``Row.x``, on a log axis with ``log_x``; a horizontal
      line for a column in ``levels``.
    - ``tradeoff``: a panel per column of ``panels`` (with titles), a line per ``Row.series``
      against the measured column ``x``, vertical lines at ``marks``.
    - ``budget``: a panel per column of ``panels``, a line per method of the rows against ``x``: the
      ``seconds`` for the images that students learned from, or the number of ``images``.

    ``name`` is added to the table's to name the figure's files.
    """

    type: Literal["image_grid", "loss_curves", "scatter", "lines", "tradeoff", "budget"]
    title: str
    caption: str
    name: str = ""
    first_rows: int = 1
    classes: list[str] = []
    panels: dict[str, str] = {}
    levels: list[str] = []
    x: str = ""
    x_label: str = ""
    log_x: bool = False
    y_label: str = ""
    marks: dict[str, float] = {}


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of one metric; ``detail`` stands below the title (protocol, extractor, images).

    ``method`` is the title of the method whose numbers these are, if they are of one. Only columns
    of role ``method`` are ranked, those of a ``group`` among each other. With ``of_images`` the
    metric is not the record's own, but that of all images that it was made from.
    """

    id: str
    title: str
    role: Role
    metric: str
    detail: str = ""
    unit: str = ""
    higher_is_better: bool = True
    method: str = ""
    group: str = ""
    note: str = ""
    of_images: bool = False

    @property
    def factor(self) -> float:
        """What a record's metric is multiplied by to be shown."""
        return FACTORS.get(self.unit, 1.0)


class TableCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number: a record key per seed of the table ("" = not planned).

    ``claim`` is the id under which the paper's number is found in `reports.published`, if there is
    one. ``metric`` is the record's metric where it is not the column's. ``variant`` names the
    method where it is a variant of a recipe, such as ``di-paper``.
    """

    records: list[str]
    claim: str = ""
    metric: str = ""
    variant: str = ""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: its ordered labels (Dataset, Teacher, Student) and its cells by column id.

    ``x`` is its place on a figure's axis, ``series`` the line of a figure that it is a point of.
    """

    id: str
    labels: dict[str, str]
    cells: dict[str, TableCell]
    role: Role = "method"
    method: str = ""
    x: float | None = None
    series: str = ""

    @property
    def label(self) -> str:
        """The last label, which tells rows apart."""
        return list(self.labels.values())[-1]


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A PNG of sample images in the folder of a cell; ``method`` is the title of their method."""

    title: str
    caption: str
    record: str
    file: str
    method: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table at one scale, measured on one data set, beside what was published.

    ``id`` is what the paper calls it, such as ``table5``, and ``part`` what was asked for where
    that is not the whole table by the recipes: some rows or methods, settings by hand.
    ``rank_along`` says where best and second best are looked for: along each row, down each column,
    or nowhere. ``assumed`` is what nobody published about how the numbers were made, ``overrides``
    what was set by hand and not by the recipes, ``published_by`` whose numbers stand beside the
    measured ones.
    """

    schema: int = SCHEMA
    id: str
    part: str = ""
    title: str
    caption: str
    scale: str
    dataset: str
    published_dataset: str
    seeds: list[int]
    columns: list[Column]
    rows: list[Row]
    pictures: list[Picture]
    assumed: list[str] = []
    overrides: list[str] = []
    rank_along: Literal["row", "column", "none"] = "row"
    figures: list[FigureSpec] = []
    published_by: str = "the paper's numbers"

    @property
    def name(self) -> str:
        """Short name for messages and anchors, such as ``table5-demo-digits``."""
        return f"{self.id}-{self.scale}-{self.dataset}{self._part}"

    @property
    def paper_id(self) -> str:
        """The paper's table or figure that it measures, such as ``table5``; empty for no such."""
        found = re.match(r"(table|figure)\d+(?![^-])", self.id)
        return found[0] if found else ""

    @property
    def file_stem(self) -> str:
        """How its files are called: the name, but for a data set's path only its folder."""
        return f"{self.whole_stem}{self._part}"

    @property
    def whole_stem(self) -> str:
        """How the files of the whole table are called."""
        return f"{self.id}-{self.scale}-{Path(self.dataset.rpartition(':')[2]).name}"

    @property
    def _part(self) -> str:
        """``part`` as the end of a name, with a digest where letters of it are lost."""
        plain = self.part.replace(", ", "_").replace(";", "").replace(" ", "-")
        slug = re.sub(r"[^a-z0-9._-]+", "-", plain.lower())
        if slug != plain or len(slug) > LONGEST_PART:
            digest = hashlib.sha256(self.part.encode()).hexdigest()[:8]
            slug = f"{slug[: LONGEST_PART - 9].strip('-._')}-{digest}".lstrip("-")
        return f"-{slug}" if slug else ""

    @property
    def on_published_data(self) -> bool:
        """Whether the measured and the published numbers are of the same data set."""
        return _letters(self.dataset) == _letters(self.published_dataset)

    def cell(self, row: Row, column: Column) -> TableCell:
        """The cell of a row and a column; one without records where the row has none."""
        return row.cells.get(column.id) or TableCell([])

    def ranking(self, row: Row, column: Column) -> tuple[str, ...] | None:
        """What is equal for all numbers that this one is ranked with; None if it is not ranked."""
        if self.rank_along == "none" or "baseline" in (row.role, column.role):
            return None
        if self.rank_along == "column":
            return (column.id,)
        return (row.id, column.group, column.metric)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
