"""Expand Table 5, or a comparison of methods in its form, into cells and a view of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cells import Cell
from benchmarks.errors import UsageError
from benchmarks.kinds.synthesis import GRID
from benchmarks.pipelines import Pipeline
from benchmarks.recipes import Book, method_class
from benchmarks.specs import RowSpec, TableSpec
from reports.views import Column, Picture, Row, View, ViewCell

BASELINES = ("teacher", "student")
PUBLISHED_FOR = {"cifar10": "cifar10", "cifar100": "cifar100"}
ORIENTATION = "cifar10"  # the half of the paper's table shown beside any other data set
NAMES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits",
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "vgg11": "VGG-11",
    "vgg16": "VGG-16",
    "mobilenetv2": "MobileNetV2",
}


@dataclass(frozen=True)
class Expansion:
    """The cells a table needs and the view that its report is made of."""

    targets: list[Cell]
    view: View


def expand(
    spec: TableSpec,
    book: Book,
    seeds: Sequence[int],
    *,
    methods: Sequence[str] = (),
    rows: Sequence[str] = (),
) -> Expansion:
    """Table 5 on the book's data set: its rows there, or the CIFAR-10 rows' networks elsewhere.

    ``methods`` and ``rows`` (``teacher-student``) choose some; all without.
    """
    published_for = PUBLISHED_FOR.get(book.dataset, ORIENTATION)
    chosen = [row for row in spec.row if row.dataset == published_for]
    if unknown := sorted(set(rows) - {row.name for row in chosen}):
        raise UsageError(
            f"unknown row '{unknown[0]}': one of {', '.join(row.name for row in chosen)}"
        )
    chosen = [row for row in chosen if not rows or row.name in rows]
    return assemble(spec, book, seeds, chosen, list(methods) or spec.methods, published_for)


def assemble(
    spec: TableSpec,
    book: Book,
    seeds: Sequence[int],
    rows: Sequence[RowSpec],
    methods: Sequence[str],
    published_for: str,
) -> Expansion:
    """The cells and the view of ``rows`` by ``methods``."""
    if len(set(methods)) < len(methods):
        raise UsageError(f"a method is named twice: {' '.join(methods)}")
    targets: list[Cell] = []
    pictures: dict[str, Picture] = {}
    view_rows = []
    for row in rows:
        cells: dict[str, list[Cell]] = {column: [] for column in (*BASELINES, *methods)}
        for seed in seeds:
            pipeline = Pipeline(book, row.teacher, seed)
            cells["teacher"].append(pipeline.teacher)
            cells["student"].append(pipeline.classifier(row.student))
            for method in methods:
                cells[method].append(pipeline.student(method, row.student))
                if seed == seeds[0]:
                    images, _ = pipeline.images(method, row.student)[-1]
                    pictures.setdefault(images.key, _picture(book, method, row, images))
        targets += [cell for column in cells.values() for cell in column]
        view_rows.append(_row(book, row, cells))
    view = View(
        table=spec.name,
        title=spec.title,
        caption=spec.caption + _assumed(book),
        scale=book.scale,
        dataset=book.dataset,
        published_dataset=NAMES.get(published_for, published_for),
        seeds=list(seeds),
        metric=spec.metric,
        unit=spec.unit,
        higher_is_better=spec.higher_is_better,
        columns=[
            Column("teacher", "T.", "baseline", "", "the teacher, trained on the real images"),
            Column("student", "S.", "baseline", "", "the student, trained on the real images"),
            *(_column(book, method) for method in methods),
        ],
        rows=view_rows,
        pictures=list(pictures.values()),
        footnotes=_footnotes(spec, view_rows),
    )
    return Expansion(targets, view)


def _column(book: Book, method: str) -> Column:
    recipe = book.method(method)
    joint = method_class(method).student_use == "joint"
    assumed = "; ".join(f"{key}: {why}" for key, why in recipe.assumed.items())
    return Column(
        method,
        recipe.title,
        "method",
        "joint" if joint else "offline",
        f"assumed — {assumed}" if assumed else "",
    )


def _row(book: Book, row: RowSpec, cells: dict[str, list[Cell]]) -> Row:
    labels = {
        "Dataset": NAMES.get(book.dataset, book.dataset),
        "Teacher": NAMES.get(row.teacher, row.teacher),
        "Student": NAMES.get(row.student, row.student),
    }
    return Row(
        row.name,
        labels,
        {
            column: ViewCell(
                [cell.key for cell in made],
                row.published.get(column),
                column in row.reimplemented,
                row.notes.get(column, ""),
            )
            for column, made in cells.items()
        },
    )


def _picture(book: Book, method: str, row: RowSpec, images: Cell) -> Picture:
    title = f"{book.method(method).title}: {NAMES.get(row.teacher, row.teacher)}"
    caption = "one column per class, images of the first batch, denormalised and clamped"
    if method_class(method).student_use != "none":
        title += f" with {NAMES.get(row.student, row.student)}"
    return Picture(title, caption, images.key, GRID)


def _assumed(book: Book) -> str:
    """What nobody published about the shared protocol, as a sentence."""
    assumed = book.protocol().assumed
    return "".join(f" Assumed: {key}: {why}." for key, why in assumed.items())


def _footnotes(spec: TableSpec, rows: Sequence[Row]) -> dict[str, str]:
    used = {cell.footnote for row in rows for cell in row.cells.values()}
    return {name: text for name, text in spec.footnotes.items() if name in used}
