"""Expand a table spec into the cells to be made and the views that its report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from benchmarks.engine.cell import Cell
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.display_names import display_name
from benchmarks.tables.image_cells import REAL
from benchmarks.tables.pipeline import Pipeline
from benchmarks.tables.selection import chosen, on_dataset
from benchmarks.tables.spec import ColumnSpec, Request, RowSpec, TableSpec, merged
from benchmarks.tables.table_figures import figures_of
from benchmarks.tables.table_line import Line
from naturalinversion.sample_grid import GRID
from reports.published import published, remarks
from reports.tables.layout import Column, Picture, Row, View, ViewCell

FLOOR = "Real test images (floor)"
SYNTHETIC = ("synthesis", "wgan_gp")


@dataclass(frozen=True)
class Expansion:
    """The cells a table needs, and its views: more than one where numbers of images differ."""

    targets: list[Cell]
    views: list[View]


def expand(
    spec: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    *,
    methods: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> Expansion:
    """A table on the recipes' data set: its rows there, or those of its orientation elsewhere.

    ``methods`` and ``rows`` choose some; all without.
    """
    published_for = recipes.dataset if recipes.dataset in spec.datasets else spec.orientation
    spec = chosen(on_dataset(spec, published_for), methods, rows)
    competing = {r.name: _line(spec, recipes, seeds, r) for r in spec.row if r.role == "method"}
    counts = [line.evaluated for line in competing.values()]
    # References are measured on as many images as the methods, where there are so many.
    like = msgspec.structs.replace(spec.all, images=next(iter(counts), 0) or spec.all.images)
    beside = msgspec.structs.replace(spec, all=like)
    lines = [competing.get(row.name) or _line(beside, recipes, seeds, row) for row in spec.row]
    views: list[View] = []
    for count in dict.fromkeys(counts + [line.evaluated for line in lines]):
        alike = [line for line in lines if line.evaluated == count]
        views.append(_view(spec, recipes, seeds, alike, published_for, main=not views))
    targets = [cell for line in lines for made in line.cells.values() for cell in made]
    return Expansion(targets, views)


def _line(spec: TableSpec, recipes: Recipes, seeds: Sequence[int], row: RowSpec) -> Line:
    line = Line(row)
    for column in spec.column:
        request = _within_budget(recipes, merged(spec.all, row, column))
        line.requests[column.id] = request
        resolved = recipes.resolve(request.teacher, request.protocol)
        pipelines = [Pipeline(resolved, seed) for seed in seeds]
        line.cells[column.id] = [pipeline.cell(request) for pipeline in pipelines]
        if request.outcome == "fidelity":
            line.evaluated = pipelines[0].images(request).count
    return line


def _within_budget(recipes: Recipes, request: Request) -> Request:
    """The request with its share of the recipe's iterations as a setting."""
    if request.budget in (0.0, 1.0):
        return request
    settings = recipes.resolve(request.teacher).method(request.method).settings
    iterations = max(1, round(request.budget * settings["iterations"]))
    changed = {**request.settings, "iterations": iterations}
    return msgspec.structs.replace(request, settings=changed)


def _view(
    spec: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    lines: Sequence[Line],
    published_for: str,
    main: bool,
) -> View:
    count = lines[0].evaluated
    rows = [_row(spec, recipes, line, published_for) for line in lines]
    notes = {cell.footnote for row in rows for cell in row.cells.values()}
    return View(
        table=spec.name if main else f"{spec.name}-n{count}",
        title=spec.title if main else f"{spec.title}, {count:,} images",
        caption=spec.caption,
        scale=recipes.scale,
        dataset=recipes.dataset,
        published_dataset=display_name(published_for),
        seeds=list(seeds),
        columns=[_column(recipes, column, lines) for column in spec.column],
        rows=rows,
        pictures=_pictures(recipes, lines, seeds[0]),
        assumed=[
            *(f"set by hand: {text}" for text in recipes.set_by_hand),
            *_assumed(recipes, lines),
        ],
        overrides=recipes.set_by_hand,
        contest=spec.contest,
        figures=figures_of(
            spec, recipes.resolve(), {row.id: line for row, line in zip(rows, lines, strict=True)}
        )
        if main
        else [],
        footnotes={name: text for name, text in remarks().notes.items() if name in notes},
    )


def _column(recipes: Recipes, spec: ColumnSpec, lines: Sequence[Line]) -> Column:
    request = lines[0].requests[spec.id]
    of_method = bool(spec.method) and spec.role == "method"
    detail, note = spec.group, spec.note
    if request.outcome == "distillation":
        joint = recipes.resolve().method(request.method).student_use == "joint"
        detail = "joint" if joint else "offline"
    if request.outcome == "fidelity":
        extractor = recipes.resolve(request.teacher).protocol.fidelity.extractor
        detail = f"{extractor}, {lines[0].evaluated:,} images"
    if of_method and not note:
        assumed = recipes.resolve().method(spec.method).assumed.items()
        note = "; ".join(f"{key}: {why}" for key, why in assumed)
        note = f"assumed — {note}" if note else ""
    title = spec.title or title_of(recipes, spec.method)
    groups = {line.requests[spec.id].metric for line in lines}
    return Column(
        id=spec.id,
        title=f"{title}, {spec.group}" if spec.group else title,
        role=spec.role,
        metric=groups.pop(),
        detail=detail,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        method=title_of(recipes, spec.method) if of_method else "",
        group=spec.group,
        note=note,
    )


def _row(spec: TableSpec, recipes: Recipes, line: Line, published_for: str) -> Row:
    row = line.spec
    first = next(iter(line.requests.values()))
    known = {
        "dataset": ("Dataset", display_name(recipes.dataset)),
        "teacher": ("Teacher", display_name(first.teacher)),
        "student": ("Student", display_name(first.student)),
        "method": ("Method", row.label or title_of(recipes, row.method)),
        "label": ("Configuration", row.label or title_of(recipes, row.method)),
        "ratio": ("Ratio", f"{row.ratio:.0%}"),
        "stage": ("Features", row.stage.replace("_", " ")),
    }
    cells = {
        column.id: _cell(
            recipes, line.requests[column.id], column, line.cells[column.id], published_for
        )
        for column in spec.column
    }
    of_method = row.method or spec.all.method  # of a table about one method
    method = title_of(recipes, of_method) if row.role == "method" else ""
    return Row(row.name, dict(known[label] for label in spec.labels), cells, row.role, method)


def _cell(
    recipes: Recipes, request: Request, column: ColumnSpec, made: Sequence[Cell], published_for: str
) -> ViewCell:
    title = title_of(recipes, request.method) if request.method else ""
    metric = request.filled(request.metric, title=title)
    claim = request.filled(request.published, dataset=published_for, metric=metric)
    number = published().get(claim)
    return ViewCell(
        records=[cell.key for cell in made],
        published=number.value if number else None,
        reimplemented=number.reimplemented if number else False,
        footnote=number.note if number else "",
        claim=claim if number else "",
        metric=metric if metric != request.metric else "",
    )


def _pictures(recipes: Recipes, lines: Sequence[Line], seed: int) -> list[Picture]:
    """The grid of every set of images that a number of the table was made with."""
    pictures: dict[str, Picture] = {}
    for line in lines:
        for request in line.requests.values():
            if not request.method or request.method == REAL:
                continue
            pipeline = Pipeline(recipes.resolve(request.teacher, request.protocol), seed)
            for method in request.sets or [request.method]:
                wanted = merged(request, Request(method=method))
                cell = pipeline.shown(wanted)
                if cell.kind in SYNTHETIC:
                    pictures.setdefault(cell.key, _picture(recipes, line, wanted, cell))
    return list(pictures.values())


def _picture(recipes: Recipes, line: Line, request: Request, cell: Cell) -> Picture:
    title, caption = title_of(recipes, request.method), "one column per class"
    if request.settings:
        title = line.spec.label or line.spec.name
    elif request.protocol:
        title = f"{title}, {line.spec.label or line.spec.name}"
    if "teacher" in cell.inputs:
        title += f": {display_name(request.teacher)}"
        if recipes.resolve().method(request.method).student_use != "none":
            title += f" with {display_name(request.grown_with or request.student)}"
    else:
        caption = "no classes"
    return Picture(title, f"{caption}, denormalised and clamped", cell.key, GRID)


def title_of(recipes: Recipes, method: str) -> str:
    """What a method is called in print."""
    if not method:
        return ""
    return FLOOR if method == REAL else recipes.resolve().method(method).title


def _assumed(recipes: Recipes, lines: Sequence[Line]) -> list[str]:
    """What nobody published about the protocol of these outcomes."""
    kinds = {request.outcome for line in lines for request in line.requests.values()}
    about: Mapping[str, tuple[str, ...]] = {
        "student.momentum": ("distillation",),
        "student.crop": ("distillation",),
        "temperature": ("distillation",),
        "scratch": ("scratch",),
        "fidelity": ("fidelity",),
        "pruning": ("pruning",),
        "embedding": ("tsne",),
    }
    assumed = recipes.resolve().protocol.assumed.items()
    return [f"{key}: {why}" for key, why in assumed if kinds & set(about.get(key, ()))]
