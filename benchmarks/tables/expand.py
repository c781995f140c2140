"""Expand a table spec into the cells to be made and the tables that its report is made of."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.digests import file_sha256
from benchmarks.recipes.resolve import Recipes
from benchmarks.tables.column_checks import check_columns
from benchmarks.tables.display_names import title_of
from benchmarks.tables.image_cells import REAL
from benchmarks.tables.network_checks import check_networks
from benchmarks.tables.pixel_columns import by_pixels
from benchmarks.tables.report_table import report_table
from benchmarks.tables.row_cells import RowCells, row_cells
from benchmarks.tables.selection import chosen, on_dataset, on_teacher, select
from benchmarks.tables.spec import TableSpec, merged
from naturalinversion.classifiers.outside import plain_name
from naturalinversion.errors import UsageError
from reports.tables.layout import Table


@dataclass(frozen=True)
class PlannedTable:
    """The cells a table needs, and its tables: several where numbers of images differ.

    ``name`` is the spec's. ``tables_of`` gives the same tables of other seeds. ``methods`` are
    those whose recipes the cells are made by.
    """

    name: str
    targets: list[Cell]
    tables: list[Table]
    methods: frozenset[str]
    tables_of: Callable[[Sequence[int]], list[Table]]

    def only(self, keep: Callable[[str, str], bool]) -> "PlannedTable":
        """Some numbers of it, by row and column, and the cells that these need.

        What tables of other seeds there are stays whole.
        """
        tables = [_only(table, keep) for table in self.tables]
        cells = [cell for table in tables for row in table.rows for cell in row.cells.values()]
        keys = {key for cell in cells for key in cell.records}
        targets = [cell for cell in self.targets if cell.key in keys]
        return dataclasses.replace(self, tables=tables, targets=targets)


def cells_of(planned: Iterable[PlannedTable]) -> list[Cell]:
    """Every cell of some tables, inputs before what reads them."""
    return with_inputs(cell for one in planned for cell in one.targets)


def _only(table: Table, keep: Callable[[str, str], bool]) -> Table:
    rows = [
        replace(row, cells={one: cell for one, cell in row.cells.items() if keep(row.id, one)})
        for row in table.rows
    ]
    return replace(table, rows=[row for row in rows if row.cells])


def expand(
    spec: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    *,
    methods: Sequence[str] = (),
    rows: Sequence[str] = (),
    teacher: str = "",
    named: str = "",
) -> PlannedTable:
    """A table on the recipes' data set: its rows there, or its reference data set's elsewhere.

    ``methods`` and ``rows`` choose some; all without. ``teacher`` takes the place of the table's.
    What differs from the whole table is part of its name, or ``named`` in its place.
    """
    reference = recipes.dataset if recipes.dataset in spec.datasets else spec.reference_dataset
    whole = on_dataset(spec, reference)
    of_teacher = on_teacher(whole, teacher)
    selected = select(of_teacher, methods, rows)
    recipes.tell_apart(_methods(selected))
    selected = _labelled(selected, recipes)
    # The same whichever rows are chosen, so that a number is always in the table of one name.
    all_rows = select(of_teacher, methods, ())
    main_count = _judged_on(all_rows, recipes, seeds[0]) or _judged_on(
        of_teacher, recipes, seeds[0]
    )
    planned_rows = _planned_rows(by_pixels(selected, recipes), recipes, seeds, main_count, rows)
    check_columns(spec, planned_rows)
    check_networks(spec.name, planned_rows)
    tables = _tables(selected, recipes, seeds, planned_rows, reference, main_count)

    def tables_of(other_seeds: Sequence[int]) -> list[Table]:
        return expand(
            spec, recipes, other_seeds, methods=methods, rows=rows, teacher=teacher, named=named
        ).tables

    return PlannedTable(
        spec.name,
        [cell for row in planned_rows for cells in row.cells.values() for cell in cells],
        _named(tables, named, chosen(whole, selected), changed(recipes)),
        _recipes_read(recipes, planned_rows),
        tables_of,
    )


def _planned_rows(
    spec: TableSpec, recipes: Recipes, seeds: Sequence[int], main_count: int, asked: Sequence[str]
) -> list[RowCells]:
    """The rows of ``spec`` with their cells, without those that too few images make.

    References are measured on ``main_count`` images, as the methods, where there are so many.
    """
    images = main_count or spec.defaults.images
    of_references = replace(spec, defaults=replace(spec.defaults, images=images))
    planned = [
        row_cells(spec if row.role == "method" else of_references, recipes, seeds, row)
        for row in spec.rows
    ]
    if "images" not in spec.labels:
        return planned
    # A row of more images than are made would be that of all again, and one of so few that its
    # method has made none of them would be another method's.
    kept = [row for row in planned if row.spec.images <= row.images and not row.others]
    _require_made(spec, asked, planned, kept)
    return kept


def _tables(
    selected: TableSpec,
    recipes: Recipes,
    seeds: Sequence[int],
    rows: Sequence[RowCells],
    reference: str,
    main_count: int,
) -> list[Table]:
    """A table for each number of images that fidelity metrics of ``rows`` read: the main one, those
    of methods, those of references.
    """
    of_methods = [row.evaluated for row in rows if row.spec.role == "method"]
    counts = dict.fromkeys([main_count, *of_methods, *(row.evaluated for row in rows)])
    tables = []
    for count in counts:
        if not (alike := [row for row in rows if row.evaluated == count]):
            continue
        one_reading = count != main_count and all(row.were_pixels for row in alike)
        columns = selected if one_reading else by_pixels(selected, recipes)
        main = count == main_count
        tables.append(report_table(columns, recipes, seeds, alike, reference, main))
    return tables


def _named(tables: Sequence[Table], named: str, selection: str, changes: str) -> list[Table]:
    """The tables with the part that they are in name and title; a title of its own says it."""
    part = "; ".join(filter(None, [named or selection, changes]))
    in_title = changes if named else part
    title = "{} ({})" if in_title else "{}"
    return [replace(t, part=part, title=title.format(t.title, in_title)) for t in tables]


def _require_made(
    spec: TableSpec, asked: Sequence[str], rows: Sequence[RowCells], made: Sequence[RowCells]
) -> None:
    """Raises `UsageError` if a row was ``asked`` for, or all are, that too few images make."""
    kept = {row.spec.name for row in made}
    gone = [row for row in rows if row.spec.name not in kept]
    if gone and (asked or not made):
        row = gone[0]
        why = f"is a row of {row.spec.images:,} images, and {row.images:,} are made here"
        if row.others:
            why = "would have none of its method's own images, only those that it starts from"
        raise UsageError(f"{spec.name}: {row.spec.name} {why}")


def changed(recipes: Recipes) -> str:
    """What was set by hand and not by the recipes, files of weights by their content."""
    weights = [
        f"weights of {plain_name(arch)} {file_sha256(path)[:8]}"
        for arch, path in recipes.weights.items()
    ]
    changes = recipes.values_by_hand + weights
    return f"with {', '.join(changes)}" if changes else ""


def _labelled(spec: TableSpec, recipes: Recipes) -> TableSpec:
    """The rows with their methods' titles where labels ask for them."""
    rows = []
    for row in spec.rows:
        title = title_of(recipes, row.method)
        label, series = (row.filled(text, title=title) for text in (row.label, row.series))
        rows.append(replace(row, label=label, series=series))
    return replace(spec, rows=rows)


def _judged_on(spec: TableSpec, recipes: Recipes, seed: int) -> int:
    """How many images of the first method fidelity metrics read; 0 where there are none."""
    columns = [c for c in spec.columns if merged(spec.defaults, c).evaluation == "fidelity"]
    judged = replace(spec, columns=columns)
    first = next((row for row in spec.rows if row.role == "method"), None)
    return row_cells(judged, recipes, [seed], first).evaluated if first else 0


def _recipes_read(recipes: Recipes, rows: Sequence[RowCells]) -> frozenset[str]:
    """The methods of all measurements that read images, and those that these methods start from.

    Raises `UsageError` for a budget set in the protocol that one of them doesn't read.
    """
    read: set[str] = set()
    for measurement in (one for row in rows for one in row.measurements.values()):
        if measurement.evaluation in ("teacher", "baseline"):
            continue
        for method in {measurement.method, *measurement.methods} - {"", REAL}:
            resolved = recipes.resolve(measurement.teacher, measurement.protocol)
            rounds = resolved.method(method).rounds
            for name in (method, rounds.start) if rounds else (method,):
                resolved.check_budget(name)
                read.add(name)
    return frozenset(read)


def _methods(spec: TableSpec) -> set[str]:
    named = [spec.defaults, *spec.rows, *spec.columns]
    of_parts = {part.method for part in named} | {one for part in named for one in part.methods}
    return of_parts - {"", REAL}
