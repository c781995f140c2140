"""Samples of the images that the numbers of a table were made with."""

from collections.abc import Sequence

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.recipes.resolved import BUDGET
from benchmarks.tables.display_names import display_name, title_of
from benchmarks.tables.image_cells import REAL, SYNTHETIC
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.row_cells import RowCells
from benchmarks.tables.spec import Measurement, merged
from naturalinversion.image_store.sample_grid import GRID
from reports.tables.layout import Picture

ROUNDS = (", first round", ", last round")


def pictures_of(recipes: Recipes, rows: Sequence[RowCells], seed: int) -> list[Picture]:
    """The samples of every set of images that a number of the table was made with."""
    pictures: dict[str, Picture] = {}
    for row in rows:
        for measurement in row.measurements.values():
            if not measurement.method or measurement.method == REAL:
                continue
            resolved = recipes.resolve(measurement.teacher, measurement.protocol)
            pipeline = Pipeline(resolved, seed)
            for method in measurement.methods or [measurement.method]:
                wanted = merged(measurement, Measurement(method=method))
                cells = pipeline.pictured(wanted)
                for cell, place in zip(cells, ROUNDS if len(cells) > 1 else [""], strict=True):
                    if cell.kind in SYNTHETIC:
                        picture = _picture(recipes, row, wanted, cell, place)
                        pictures.setdefault(cell.key, picture)
    return list(pictures.values())


def _picture(
    recipes: Recipes, row: RowCells, measurement: Measurement, cell: Cell, place: str
) -> Picture:
    method = title_of(recipes, measurement.method)
    caption = "a column for each of the first ten classes"
    title = method
    if measurement.settings:
        title = row.spec.label or row.spec.name
    elif measurement.protocol.keys() - BUDGET:  # a control's title need not say its budget
        title = f"{title}, {row.spec.label or row.spec.name}"
    if "teacher" in cell.inputs:
        title += f": {display_name(measurement.teacher)}"
        if recipes.resolve().method(measurement.method).student_use != "none":
            title += f" with {display_name(measurement.synthesis_student or measurement.student)}"
    else:
        caption = "no classes"
    return Picture(
        f"{title}{place}", f"{caption}, denormalised and clamped", cell.key, GRID, method
    )
