"""The table that a report is made of: titles, labels, claims and the keys of the records."""

from collections.abc import Sequence

from msgspec.structs import replace

from benchmarks.datasets.cifar_layout import OFFICIAL
from benchmarks.engine.cell import Cell
from benchmarks.evaluation.tsne import in_metrics
from benchmarks.recipes.methods import build_method, split_name
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.display_names import display_name, first_classes, title_of
from benchmarks.tables.image_cells import NOISE, REAL
from benchmarks.tables.pictures import pictures_of
from benchmarks.tables.pixel_columns import caption_of, detail_of
from benchmarks.tables.row_cells import RowCells
from benchmarks.tables.spec import ColumnSpec, Measurement, TableSpec
from reports.tables.layout import Column, FigureSpec, Row, Table, TableCell
from reports.tables.notes import ASSUMED, BY_HAND


def report_table(
    spec: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    rows: Sequence[RowCells],
    published_for: str,
    main: bool,
) -> Table:
    """``rows`` of the spec, which read one number of images; ``main``: the first of its tables."""
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
        pictures=pictures_of(recipes, rows, seeds[0]),
        assumed=[
            *(f"{BY_HAND}: {text}" for text in recipes.set_by_hand),
            *_assumed(recipes, rows),
        ],
        overrides=recipes.set_by_hand,
        rank_along=spec.rank_along,
        published_by=spec.published_by,
        figures=[_figure(figure, recipes, rows) for figure in spec.figures if main],
    )


def _column(recipes: Recipes, spec: ColumnSpec, rows: Sequence[RowCells]) -> Column:
    measurement = rows[0].measurements[spec.id]
    of_method = bool(spec.method) and (spec.role == "method" or spec.method == NOISE)
    detail, note = spec.group, spec.note
    made_by = {row.measurements[spec.id].method for row in rows} - {REAL}
    if measurement.evaluation == "distillation" and made_by:
        uses = {recipes.resolve().method(method).student_use == "joint" for method in made_by}
        detail = "" if len(uses) > 1 else "joint" if uses == {True} else "offline"
    detail = "" if spec.of_images else detail
    title = spec.title or title_of(recipes, spec.method)
    title = f"{title}, {spec.group}" if spec.group else title
    if measurement.evaluation == "fidelity" and not spec.of_images:
        mapped = not all(row.were_pixels for row in rows)
        detail = detail_of(recipes, measurement, rows[0].evaluated, title, mapped)
    if of_method and not note:
        assumed = recipes.resolve().method(spec.method).assumed.items()
        note = "; ".join(f"{key}: {why}" for key, why in assumed)
        note = f"{ASSUMED} {note}" if note else ""
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
        of_images=spec.of_images,
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
        "made": ("Images", f"{row.made:,}" if row.made else "new in every step"),
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
    metric = measurement.filled(measurement.metric, title=title, method=in_metrics(title))
    published_as, variant = split_name(measurement.method)
    return TableCell(
        records=[cell.key for cell in made],
        claim=measurement.filled(
            measurement.claim, dataset=published_for, metric=metric, method=published_as
        ),
        metric=metric if metric != measurement.metric else "",
        variant=measurement.method if variant else "",
    )


def _figure(figure: FigureSpec, recipes: Recipes, rows: Sequence[RowCells]) -> FigureSpec:
    """The figure with the data set's classes, and with the iterations of the methods' recipes."""
    if figure.type == "image_grid":
        return replace(figure, classes=list(first_classes(recipes.dataset)))
    if figure.type != "tradeoff":
        return figure
    published_for = recipes.dataset if recipes.dataset in OFFICIAL else "cifar10"
    paper = Recipes("paper", published_for)
    methods = {row.spec.method: row.measurements[figure.x].teacher for row in rows}
    marks: dict[str, float] = {}
    for label, own in {"the recipe's iterations": recipes, "published iterations": paper}.items():
        found = {}
        for method, teacher in methods.items():
            if own is paper and ":" in method:  # of a method from outside nothing is published
                continue
            recipe = own.resolve(teacher).method(method)
            made = build_method(recipe.method, recipe.settings)
            found[title_of(recipes, method)] = float(made.iterations)
        alike = len(found) == len(methods) and len(set(found.values())) == 1
        marks |= {label if alike else f"{label}, {title}": n for title, n in found.items()}
    return replace(figure, marks=marks)


def _assumed(recipes: Recipes, rows: Sequence[RowCells]) -> list[str]:
    """What nobody published about the protocol of these evaluations."""
    asked = {measurement.evaluation for row in rows for measurement in row.measurements.values()}
    about = {
        "student.momentum": "distillation",
        "student.crop": "distillation",
        "temperature": "distillation",
        "temperature_squared": "distillation",
        "scratch": "scratch",
        "fidelity": "fidelity",
        "fidelity.reference": "fidelity",
        "fidelity.pixels": "fidelity",
        "pruning": "pruning",
        "embedding": "tsne",
    }
    assumed = recipes.resolve().protocol.assumed.items()
    return [f"{key}: {why}" for key, why in assumed if about.get(key) in asked]
