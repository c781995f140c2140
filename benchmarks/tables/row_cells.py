"""One row of a table as the cells that measure it, a cell for each column and seed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.controls import with_budget
from benchmarks.tables.image_cells import REAL, were_pixels
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.spec import Measurement, RowSpec, TableSpec, merged


@dataclass
class RowCells:
    """One row with its measurements and their cells by column, a cell for each seed."""

    spec: RowSpec
    measurements: dict[str, Measurement] = field(default_factory=dict)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    evaluated: int = 0  # images that a fidelity metric reads; 0 if there is none in the row
    made: int = 0  # images that its student sees; 0 if it was trained with their generator
    images: int = 0  # that its first method makes for it, where rows are numbers of images
    others: bool = False  # those are all of the method that this one starts from

    @property
    def were_pixels(self) -> bool:
        """Whether all its images were, which are judged in one way."""
        return all(were_pixels(m.method) for m in self.measurements.values())


def row_cells(spec: TableSpec, recipes: Recipes, seeds: Sequence[int], row: RowSpec) -> RowCells:
    """The cells of ``row`` in every column of ``spec``."""
    made = RowCells(row)
    for column in spec.columns:
        measurement = _with_own_settings(recipes, merged(spec.defaults, row, column))
        measurement = with_budget(spec, recipes, row, column, measurement)
        made.measurements[column.id] = measurement
        resolved = recipes.resolve(measurement.teacher, measurement.protocol)
        pipelines = [Pipeline(resolved, seed) for seed in seeds]
        made.cells[column.id] = [pipeline.cell(measurement) for pipeline in pipelines]
        if measurement.evaluation == "fidelity":
            made.evaluated = pipelines[0].images(measurement).count
        if "made" in spec.labels and made.cells[column.id][0].kind != "joint_student":
            made.made = pipelines[0].images(measurement).count
        if "images" in spec.labels and not made.images:
            if measurement.method == REAL and measurement.evaluation == "distillation":
                read = made.cells[column.id][0].recipe["images"]["count"]
                made.images = min(read, resolved.protocol.images)
            else:
                images = pipelines[0].images(measurement)
                made.images = images.count
                made.others = bool(images.parts) and not pipelines[0].own(measurement, images)
    return made


def _with_own_settings(recipes: Recipes, measurement: Measurement) -> Measurement:
    """The measurement with what follows from the recipe as settings.

    Those are its fraction of the iterations, and the size of a batch for a generator that is shared
    by all batches: its channel scaling has a factor for each image.
    """
    shortened = measurement.iteration_fraction not in (0.0, 1.0)
    shared = not measurement.settings.get("one_to_one", True)
    if not (shortened or shared):
        return measurement
    recipe = recipes.resolve(measurement.teacher).method(measurement.method)
    settings = dict(measurement.settings)
    if shortened:
        whole = recipe.settings["iterations"]
        settings["iterations"] = max(1, round(measurement.iteration_fraction * whole))
    if shared:
        settings.setdefault("shared_batch", recipe.batch_size)
    return replace(measurement, settings=settings)
