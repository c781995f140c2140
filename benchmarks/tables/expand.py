"""Expand a table spec into the cells to be made and the tables that its report is made of."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from benchmarks.engine.cell import Cell
from benchmarks.engine.digests import file_sha256
from benchmarks.recipes.methods import build_method, split_name
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.display_names import display_name, first_classes
from benchmarks.tables.image_cells import REAL, were_pixels
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.pixel_columns import by_pixels, caption_of, detail_of
from benchmarks.tables.selection import chosen, on_dataset, select
from benchmarks.tables.spec import ColumnSpec, Measurement, RowSpec, TableSpec, merged
from naturalinversion.sample_grid import GRID
from reports.tables.layout import Column, FigureSpec, Picture, Row, Table, TableCell

NOISE = "noise"  # a control that makes images: its cost has a line
FLOORS = {"train": "Real test images (floor)", "test": "Real training images (floor)"}
SYNTHETIC = ("synthesis", "wgan_gp")


@dataclass(frozen=True)
class PlannedTable:
    """The cells a table needs, and its tables: several where numbers of images differ.

    ``tables_of`` gives the same tables of other seeds.
    """

    targets: list[Cell]
    tables: list[Table]
    tables_of: Callable[[Sequence[int]], list[Table]]


@dataclass
class RowCells:
    """One row with its measurements and their cells by column, a cell for each seed."""

    spec: RowSpec
    measurements: dict[str, Measurement] = field(default_factory=dict)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    evaluated: int = 0  # images that a fidelity metric reads; 0 if there is none in the row
    images: int = 0  # that its first method makes for it, where rows are numbers of images

    @property
    def were_pixels(self) -> bool:
        """Whether all its images were, which are judged in one way."""
        return all(were_pixels(m.method) for m in self.measurements.values())


def expand(
    spec: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    *,
    methods: Sequence[str] = (),
    rows: Sequence[str] = (),
    named: str = "",
) -> PlannedTable:
    """A table on the recipes' data set: its rows there, or its reference data set's elsewhere.

    ``methods`` and ``rows`` choose some; all without. What differs from the whole table is part of
    its name, or ``named`` in its place.
    """
    given = spec
    published_for = recipes.dataset if recipes.dataset in spec.datasets else spec.reference_dataset
    whole = on_dataset(spec, published_for)
    plain = select(whole, methods, rows)
    recipes.tell_apart(_methods(plain))
    spec = by_pixels(plain, recipes)
    ranked = {r.name: _row_cells(spec, recipes, seeds, r) for r in spec.rows if r.role == "method"}
    counts = [row.evaluated for row in ranked.values()]
    # References are measured on as many images as the methods, where there are so many.
    count = next(iter(counts), 0) or spec.defaults.images
    beside = replace(spec, defaults=replace(spec.defaults, images=count))
    made = [ranked.get(row.name) or _row_cells(beside, recipes, seeds, row) for row in spec.rows]
    if "images" in spec.labels:  # a row of more images than are made would be that of all again
        made = [row for row in made if row.spec.images <= row.images]
    tables: list[Table] = []
    for count in dict.fromkeys(counts + [row.evaluated for row in made]):
        alike = [row for row in made if row.evaluated == count]
        columns = plain if all(row.were_pixels for row in alike) else spec
        tables.append(_table(columns, recipes, seeds, alike, published_for, main=not tables))
    about = [named, changed(recipes)] if named else [chosen(whole, plain), changed(recipes)]
    part = "; ".join(filter(None, about))
    said = "; ".join(filter(None, about[1:] if named else about))  # a title of its own says it
    title = "{} ({})" if said else "{}"
    tables = [replace(t, part=part, title=title.format(t.title, said)) for t in tables]
    targets = [cell for row in made for cells in row.cells.values() for cell in cells]

    def tables_of(others: Sequence[int]) -> list[Table]:
        return expand(given, recipes, others, methods=methods, rows=rows, named=named).tables

    return PlannedTable(targets, tables, tables_of)


def changed(recipes: Recipes) -> str:
    """What was set by hand and not by the recipes, files of weights by their content."""
    weights = [f"weights of {a} {file_sha256(path)[:8]}" for a, path in recipes.weights.items()]
    settings = [text for text in recipes.set_by_hand if not text.startswith("weights of ")]
    return f"with {', '.join(settings + weights)}" if settings or weights else ""


def _methods(spec: TableSpec) -> set[str]:
    named = [spec.defaults, *spec.rows, *spec.columns]
    of_parts = {part.method for part in named} | {one for part in named for one in part.methods}
    return of_parts - {"", REAL}


def _row_cells(spec: TableSpec, recipes: Recipes, seeds: Sequence[int], row: RowSpec) -> RowCells:
    made = RowCells(row)
    for column in spec.columns:
        measurement = _shortened(recipes, merged(spec.defaults, row, column))
        made.measurements[column.id] = measurement
        resolved = recipes.resolve(measurement.teacher, measurement.protocol)
        pipelines = [Pipeline(resolved, seed) for seed in seeds]
        made.cells[column.id] = [pipeline.cell(measurement) for pipeline in pipelines]
        if measurement.evaluation == "fidelity":
            made.evaluated = pipelines[0].images(measurement).count
        if "images" in spec.labels and not made.images:
            if measurement.method == REAL and measurement.evaluation == "distillation":
                read = made.cells[column.id][0].recipe["images"]["count"]
                made.images = min(read, resolved.protocol.batches * resolved.protocol.batch_size)
            else:
                made.images = pipelines[0].images(measurement).count
    return made


def _shortened(recipes: Recipes, measurement: Measurement) -> Measurement:
    """The measurement with its fraction of the recipe's iterations as a setting."""
    if measurement.iteration_fraction in (0.0, 1.0):
        return measurement
    settings = recipes.resolve(measurement.teacher).method(measurement.method).settings
    iterations = max(1, round(measurement.iteration_fraction * settings["iterations"]))
    return replace(measurement, settings={**measurement.settings, "iterations": iterations})


def _table(
    spec: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    rows: Sequence[RowCells],
    published_for: str,
    main: bool,
) -> Table:
    count = rows[0].evaluated
    return Table(
        id=spec.name if main else f"{spec.name}-n{count}",
        title=spec.title if main else f"{spec.title}, {count:,} images",
        caption=caption_of(spec, {m.method for row in rows for m in row.measurements.values()}),
        scale=recipes.scale,
        dataset=recipes.dataset,
        published_dataset=display_name(published_for),
        seeds=list(seeds),
        columns=[_column(recipes, column, rows) for column in spec.columns],
        rows=[_row(spec, recipes, row, published_for) for row in rows],
        pictures=_pictures(recipes, rows, seeds[0]),
        assumed=[
            *(f"set by hand: {text}" for text in recipes.set_by_hand),
            *_assumed(recipes, rows),
        ],
        overrides=recipes.set_by_hand,
        rank_along=spec.rank_along,
        published_by=spec.published_by,
        figures=[_figure(figure, recipes, rows[0]) for figure in spec.figures if main],
    )


def _column(recipes: Recipes, spec: ColumnSpec, rows: Sequence[RowCells]) -> Column:
    measurement = rows[0].measurements[spec.id]
    of_method = bool(spec.method) and (spec.role == "method" or spec.method == NOISE)
    detail, note = spec.group, spec.note
    made_by = {row.measurements[spec.id].method for row in rows} - {REAL}
    if measurement.evaluation == "distillation" and made_by:
        uses = {recipes.resolve().method(method).student_use == "joint" for method in made_by}
        detail = "" if len(uses) > 1 else "joint" if uses == {True} else "offline"
    title = spec.title or title_of(recipes, spec.method)
    title = f"{title}, {spec.group}" if spec.group else title
    if measurement.evaluation == "fidelity":
        mapped = not all(row.were_pixels for row in rows)
        detail = detail_of(recipes, measurement, rows[0].evaluated, title, mapped)
    if of_method and not note:
        assumed = recipes.resolve().method(spec.method).assumed.items()
        note = "; ".join(f"{key}: {why}" for key, why in assumed)
        note = f"assumed — {note}" if note else ""
    metrics = {row.measurements[spec.id].metric for row in rows}
    return Column(
        id=spec.id,
        title=title,
        role=spec.role,
        metric=metrics.pop(),
        detail=detail,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        method=title_of(recipes, spec.method) if of_method else "",
        group=spec.group,
        note=note,
    )


def _row(spec: TableSpec, recipes: Recipes, row: RowCells, published_for: str) -> Row:
    own, first = row.spec, next(iter(row.measurements.values()))
    known = {
        "dataset": ("Dataset", display_name(recipes.dataset)),
        "teacher": ("Teacher", display_name(first.teacher)),
        "student": ("Student", display_name(first.student)),
        "method": ("Method", own.label or title_of(recipes, own.method)),
        "label": ("Configuration", own.label or title_of(recipes, own.method)),
        "ratio": ("Ratio", f"{own.ratio:.0%}"),
        "images": ("Images", f"{row.images:,}"),
        "stage": ("Features", own.stage.replace("_", " ")),
    }
    of_method = own.method or spec.defaults.method  # of a table about one method
    return Row(
        id=own.name,
        labels=dict(known[label] for label in spec.labels),
        cells={
            column.id: _cell(
                recipes, row.measurements[column.id], row.cells[column.id], published_for
            )
            for column in spec.columns
        },
        role=own.role,
        method=title_of(recipes, of_method) if own.role == "method" or of_method == NOISE else "",
        x=own.ratio or row.images or None,
        series=own.series,
    )


def _cell(
    recipes: Recipes, measurement: Measurement, made: Sequence[Cell], published_for: str
) -> TableCell:
    title = title_of(recipes, measurement.method)
    # Sets of images are called by their title in a record, as far as names of metrics go.
    name = re.sub("[^a-z0-9]+", "_", title.lower())
    metric = measurement.filled(measurement.metric, title=title, method=name)
    published_as, _ = split_name(measurement.method)
    return TableCell(
        records=[cell.key for cell in made],
        claim=measurement.filled(
            measurement.claim, dataset=published_for, metric=metric, method=published_as
        ),
        metric=metric if metric != measurement.metric else "",
    )


def _figure(figure: FigureSpec, recipes: Recipes, first: RowCells) -> FigureSpec:
    """The figure with the data set's classes, and with the iterations of the first row's recipe."""
    if figure.type == "image_grid":
        return replace(figure, classes=list(first_classes(recipes.dataset)))
    if figure.type != "tradeoff":
        return figure
    measurement = first.measurements[figure.x]
    paper = Recipes("paper", "cifar10")
    marks = {}
    for label, own in {"the recipe's iterations": recipes, "published iterations": paper}.items():
        recipe = own.resolve(measurement.teacher).method(measurement.method)
        marks[label] = float(build_method(recipe.method, recipe.settings).iterations)
    return replace(figure, marks=marks)


def _pictures(recipes: Recipes, rows: Sequence[RowCells], seed: int) -> list[Picture]:
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
                cell = pipeline.shown(wanted)
                if cell.kind in SYNTHETIC:
                    pictures.setdefault(cell.key, _picture(recipes, row, wanted, cell))
    return list(pictures.values())


def _picture(recipes: Recipes, row: RowCells, measurement: Measurement, cell: Cell) -> Picture:
    method, caption = title_of(recipes, measurement.method), "one column per class"
    title = method
    if measurement.settings:
        title = row.spec.label or row.spec.name
    elif measurement.protocol:
        title = f"{title}, {row.spec.label or row.spec.name}"
    if "teacher" in cell.inputs:
        title += f": {display_name(measurement.teacher)}"
        if recipes.resolve().method(measurement.method).student_use != "none":
            title += f" with {display_name(measurement.synthesis_student or measurement.student)}"
    else:
        caption = "no classes"
    return Picture(title, f"{caption}, denormalised and clamped", cell.key, GRID, method)


def title_of(recipes: Recipes, method: str) -> str:
    """What a method is called in print."""
    if not method:
        return ""
    if method == REAL:
        return FLOORS[recipes.resolve().protocol.fidelity.reference]
    return recipes.title(method)


def _assumed(recipes: Recipes, rows: Sequence[RowCells]) -> list[str]:
    """What nobody published about the protocol of these evaluations."""
    asked = {measurement.evaluation for row in rows for measurement in row.measurements.values()}
    about: Mapping[str, tuple[str, ...]] = {
        "student.momentum": ("distillation",),
        "student.crop": ("distillation",),
        "temperature": ("distillation",),
        "temperature_squared": ("distillation",),
        "scratch": ("scratch",),
        "fidelity": ("fidelity",),
        "fidelity.reference": ("fidelity",),
        "fidelity.pixels": ("fidelity",),
        "pruning": ("pruning",),
        "embedding": ("tsne",),
    }
    assumed = recipes.resolve().protocol.assumed.items()
    return [f"{key}: {why}" for key, why in assumed if asked & set(about.get(key, ()))]
