"""Expand a table spec into the cells to be made and the tables that its report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Book, build_method, method_class
from benchmarks.synthesis.generate_images import GRID
from benchmarks.tables.display_names import first_classes, printed
from benchmarks.tables.outcomes import REAL, cell_of, images_of, shown_cell
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.selection import on_dataset, select
from benchmarks.tables.spec import ColumnSpec, Measurement, RowSpec, TableSpec, merged
from reports.tables.layout import Column, FigureSpec, Picture, Row, Table, TableCell

FLOOR = "Real test images (floor)"
SYNTHETIC = ("synthesis", "wgan_gp")


@dataclass(frozen=True)
class PlannedTable:
    """The cells a table needs, and its tables: several where numbers of images differ."""

    targets: list[Cell]
    tables: list[Table]


@dataclass
class RowCells:
    """One row with its measurements and their cells by column, a cell for each seed."""

    spec: RowSpec
    measurements: dict[str, Measurement] = field(default_factory=dict)
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    evaluated: int = 0  # images that a fidelity metric reads; 0 if there is none in the row


def expand(
    spec: TableSpec,
    book: Book,
    seeds: Sequence[int],
    *,
    methods: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> PlannedTable:
    """A table on the book's data set: its rows there, or those of its reference data set elsewhere.

    ``methods`` and ``rows`` choose some; all without.
    """
    published_for = book.dataset if book.dataset in spec.datasets else spec.reference_dataset
    spec = select(on_dataset(spec, published_for), methods, rows)
    ranked = {r.name: _row_cells(spec, book, seeds, r) for r in spec.rows if r.role == "method"}
    counts = [row.evaluated for row in ranked.values()]
    # References are measured on as many images as the methods, where there are so many.
    count = next(iter(counts), 0) or spec.defaults.images
    beside = replace(spec, defaults=replace(spec.defaults, images=count))
    made = [ranked.get(row.name) or _row_cells(beside, book, seeds, row) for row in spec.rows]
    tables: list[Table] = []
    for count in dict.fromkeys(counts + [row.evaluated for row in made]):
        alike = [row for row in made if row.evaluated == count]
        tables.append(_table(spec, book, seeds, alike, published_for, main=not tables))
    targets = [cell for row in made for cells in row.cells.values() for cell in cells]
    return PlannedTable(targets, tables)


def _row_cells(spec: TableSpec, book: Book, seeds: Sequence[int], row: RowSpec) -> RowCells:
    made = RowCells(row)
    for column in spec.columns:
        measurement = _shortened(book, merged(spec.defaults, row, column))
        made.measurements[column.id] = measurement
        varied = book.varied(measurement.protocol)
        pipelines = [Pipeline(varied, measurement.teacher, seed) for seed in seeds]
        made.cells[column.id] = [cell_of(pipeline, measurement) for pipeline in pipelines]
        if measurement.evaluation == "fidelity":
            made.evaluated = images_of(pipelines[0], measurement).count
    return made


def _shortened(book: Book, measurement: Measurement) -> Measurement:
    """The measurement with its fraction of the recipe's iterations as a setting."""
    if measurement.iteration_fraction in (0.0, 1.0):
        return measurement
    settings = book.method(measurement.method, measurement.teacher).settings
    iterations = max(1, round(measurement.iteration_fraction * settings["iterations"]))
    return replace(measurement, settings={**measurement.settings, "iterations": iterations})


def _table(
    spec: TableSpec,
    book: Book,
    seeds: Sequence[int],
    rows: Sequence[RowCells],
    published_for: str,
    main: bool,
) -> Table:
    count = rows[0].evaluated
    return Table(
        id=spec.name if main else f"{spec.name}-n{count}",
        title=spec.title if main else f"{spec.title}, {count:,} images",
        caption=spec.caption,
        scale=book.scale,
        dataset=book.dataset,
        published_dataset=printed(published_for),
        seeds=list(seeds),
        columns=[_column(book, column, rows) for column in spec.columns],
        rows=[_row(spec, book, row, published_for) for row in rows],
        pictures=_pictures(book, rows, seeds[0]),
        assumed=[*(f"set by hand: {text}" for text in book.given), *_assumed(book, rows)],
        overrides=book.given,
        rank_along=spec.rank_along,
        figures=[_figure(figure, book, rows[0]) for figure in spec.figures if main],
    )


def _column(book: Book, spec: ColumnSpec, rows: Sequence[RowCells]) -> Column:
    measurement = rows[0].measurements[spec.id]
    of_method = bool(spec.method) and spec.role == "method"
    detail, note = spec.group, spec.note
    if measurement.evaluation == "distilled":
        detail = "joint" if method_class(measurement.method).student_use == "joint" else "offline"
    if measurement.evaluation == "fidelity":
        extractor = book.protocol(measurement.teacher).fidelity.extractor
        detail = f"{extractor}, {rows[0].evaluated:,} images"
    if of_method and not note:
        assumed = book.method(spec.method).assumed.items()
        note = "; ".join(f"{key}: {why}" for key, why in assumed)
        note = f"assumed — {note}" if note else ""
    title = spec.title or title_of(book, spec.method)
    metrics = {row.measurements[spec.id].metric for row in rows}
    return Column(
        id=spec.id,
        title=f"{title}, {spec.group}" if spec.group else title,
        role=spec.role,
        metric=metrics.pop(),
        detail=detail,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        method=title_of(book, spec.method) if of_method else "",
        group=spec.group,
        note=note,
    )


def _row(spec: TableSpec, book: Book, row: RowCells, published_for: str) -> Row:
    own, first = row.spec, next(iter(row.measurements.values()))
    known = {
        "dataset": ("Dataset", printed(book.dataset)),
        "teacher": ("Teacher", printed(first.teacher)),
        "student": ("Student", printed(first.student)),
        "method": ("Method", own.label or title_of(book, own.method)),
        "label": ("Configuration", own.label or title_of(book, own.method)),
        "ratio": ("Ratio", f"{own.ratio:.0%}"),
        "stage": ("Features", own.stage.replace("_", " ")),
    }
    return Row(
        id=own.name,
        labels=dict(known[label] for label in spec.labels),
        cells={
            name: _cell(book, measurement, row.cells[name], published_for)
            for name, measurement in row.measurements.items()
        },
        role=own.role,
        method=title_of(book, own.method) if own.role == "method" else "",
        x=own.ratio or None,
        series=own.series,
    )


def _cell(
    book: Book, measurement: Measurement, made: Sequence[Cell], published_for: str
) -> TableCell:
    title = title_of(book, measurement.method)
    metric = measurement.filled(measurement.metric, title=title)
    return TableCell(
        records=[cell.key for cell in made],
        claim=measurement.filled(measurement.claim, dataset=published_for, metric=metric),
        metric=metric if metric != measurement.metric else "",
    )


def _figure(figure: FigureSpec, book: Book, first: RowCells) -> FigureSpec:
    """The figure with the data set's classes, and with the iterations of the first row's recipe."""
    if figure.type == "image_grid":
        return replace(figure, classes=list(first_classes(book.dataset)))
    if figure.type != "tradeoff":
        return figure
    measurement = first.measurements[figure.x]
    paper = Book("paper", "cifar10")
    recipes = {"the recipe's iterations": book, "published iterations": paper}
    marks = {}
    for label, recipe_book in recipes.items():
        recipe = recipe_book.method(measurement.method, measurement.teacher)
        marks[label] = float(build_method(recipe.method, recipe.settings).iterations)
    return replace(figure, marks=marks)


def _pictures(book: Book, rows: Sequence[RowCells], seed: int) -> list[Picture]:
    """The samples of every set of images that a number of the table was made with."""
    pictures: dict[str, Picture] = {}
    for row in rows:
        for measurement in row.measurements.values():
            if not measurement.method or measurement.method == REAL:
                continue
            pipeline = Pipeline(book.varied(measurement.protocol), measurement.teacher, seed)
            for method in measurement.methods or [measurement.method]:
                wanted = merged(measurement, Measurement(method=method))
                cell = shown_cell(pipeline, wanted)
                if cell.kind in SYNTHETIC:
                    pictures.setdefault(cell.key, _picture(book, row, wanted, cell))
    return list(pictures.values())


def _picture(book: Book, row: RowCells, measurement: Measurement, cell: Cell) -> Picture:
    method, caption = title_of(book, measurement.method), "one column per class"
    title = method
    if measurement.settings:
        title = row.spec.label or row.spec.name
    elif measurement.protocol:
        title = f"{title}, {row.spec.label or row.spec.name}"
    if "teacher" in cell.inputs:
        title += f": {printed(measurement.teacher)}"
        if method_class(measurement.method).student_use != "none":
            title += f" with {printed(measurement.synthesis_student or measurement.student)}"
    else:
        caption = "no classes"
    return Picture(title, f"{caption}, denormalised and clamped", cell.key, GRID, method)


def title_of(book: Book, method: str) -> str:
    """What a method is called in print."""
    if not method:
        return ""
    return FLOOR if method == REAL else book.method(method).title


def _assumed(book: Book, rows: Sequence[RowCells]) -> list[str]:
    """What nobody published about the protocol of these evaluations."""
    asked = {measurement.evaluation for row in rows for measurement in row.measurements.values()}
    about: Mapping[str, tuple[str, ...]] = {
        "student.momentum": ("distilled",),
        "student.crop": ("distilled",),
        "temperature": ("distilled",),
        "scratch": ("scratch",),
        "fidelity": ("fidelity",),
        "pruning": ("pruned",),
        "embedding": ("embedding",),
    }
    assumed = book.protocol().assumed.items()
    return [f"{key}: {why}" for key, why in assumed if asked & set(about.get(key, ()))]
