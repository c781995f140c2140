"""A part of a table, or the table for others: ``--methods``, ``--rows`` and ``--teacher``."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from msgspec.structs import replace

from benchmarks.recipes.methods import method_class
from benchmarks.tables.image_cells import NOISE, REAL, were_pixels
from benchmarks.tables.spec import TITLE, ColumnSpec, RowSpec, TableSpec
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.errors import UsageError

CONTROLS = (REAL, NOISE)  # in place of a method, they stay whatever is chosen


def on_dataset(spec: TableSpec, dataset: str) -> TableSpec:
    """The rows that stand in the half for ``dataset``, or in both."""
    return replace(spec, rows=[row for row in spec.rows if row.dataset in ("", dataset)])


def on_teacher(spec: TableSpec, teacher: str) -> TableSpec:
    """The table with another teacher in all its rows; rows that become the same are one.

    Raises `UsageError` for an unknown architecture.
    """
    if not teacher:
        return spec
    if teacher not in ARCHITECTURES:
        raise UsageError(f"--teacher {teacher}: one of {', '.join(ARCHITECTURES)}")
    rows = [replace(row, teacher=teacher) if row.teacher else row for row in spec.rows]
    distinct = {(row.dataset, row.name): row for row in rows}
    defaults = replace(spec.defaults, teacher=teacher) if spec.defaults.teacher else spec.defaults
    return replace(spec, rows=list(distinct.values()), defaults=defaults)


def select(spec: TableSpec, methods: Sequence[str], rows: Sequence[str]) -> TableSpec:
    """Some methods and rows of ``spec``; empty choices keep all.

    A method that the table doesn't have gets columns or rows like those of the first it has. Raises
    `UsageError` for unknown ones, for a method that there can be none of in this table, and for a
    row of a method that is not among those chosen.
    """
    if len(set(methods)) < len(methods):
        raise UsageError(f"a method is named twice: {' '.join(methods)}")
    known = dict.fromkeys(row.name for row in spec.rows)
    if unknown := sorted(set(rows) - set(known)):
        raise UsageError(f"unknown row '{unknown[0]}': one of {', '.join(known)}")
    if rows:
        spec = replace(spec, rows=[row for row in spec.rows if row.name in rows])
    if not methods:
        return spec
    has = {part.method for part in (*spec.columns, *spec.rows)}
    for method in methods:
        if were_pixels(method) and method not in has:
            raise UsageError(f"--methods {method}: not data-free, and {spec.name} has none of it")
    if any(column.method for column in spec.columns):
        together = list(methods) if spec.defaults.methods else []
        defaults = replace(spec.defaults, methods=together)
        return replace(spec, columns=list(_columns(spec, methods)), defaults=defaults)
    if any(row.method for row in spec.rows):
        found = list(_rows(spec, methods))
        if gone := [name for name in rows if name not in {row.name for row in found}]:
            raise UsageError(
                f"--rows {gone[0]}: {spec.name} would not show it with --methods "
                f"{' '.join(methods)}"
            )
        return replace(spec, rows=found)
    raise UsageError(f"--methods: {spec.name} is about one method")


def chosen(whole: TableSpec, spec: TableSpec) -> str:
    """What the selection ``spec`` of ``whole`` shows, in words; empty for all of it."""
    words = []
    if (teacher := spec.defaults.teacher) != whole.defaults.teacher:
        words.append(f"teacher {teacher}")
    rows = [row.name for row in spec.rows]
    if set(rows) != {row.name for row in whole.rows}:
        words.append(f"rows {', '.join(rows)}")
    if {column.id for column in spec.columns} != {column.id for column in whole.columns}:
        kept = {column.id for column in whole.columns if column.method in CONTROLS}
        methods = dict.fromkeys(c.method for c in spec.columns if c.method and c.id not in kept)
        words.append(f"methods {', '.join(methods)}" if methods else "controls alone")
    return "; ".join(words)


def _columns(spec: TableSpec, methods: Sequence[str]) -> Iterator[ColumnSpec]:
    ranked = [column for column in spec.columns if column.role == "method"]
    if not ranked:  # methods side by side that are not ranked
        ranked = [column for column in spec.columns if column.method]
    for column in spec.columns:
        if column not in ranked:
            kept = column.method in ("", *CONTROLS)
            yield column if kept else replace(column, method=methods[0])
    controls = {column.method for column in spec.columns if column not in ranked} & set(CONTROLS)
    for group in dict.fromkeys(column.group for column in ranked):
        members = {column.method: column for column in ranked if column.group == group}
        model = next(iter(members.values()))
        for method in methods:
            if method in controls:
                continue  # they stand there whatever is chosen
            if model.student_use not in ("", method_class(method).student_use):
                continue
            identity = model.id.replace(model.method, method, 1)
            yield members.get(method) or replace(model, id=identity, method=method, title="")


def _rows(spec: TableSpec, methods: Sequence[str]) -> Iterator[RowSpec]:
    members = [row for row in spec.rows if row.role == "method"]
    if not members:
        raise UsageError(f"--methods: no row of {spec.name} has a method")
    baselines = [row for row in spec.rows if row.role == "baseline"]
    for method in methods:
        if method in {row.method for row in baselines}:
            continue  # they stand below whatever is chosen
        own = [row for row in members if row.method == method]
        yield from own or _like(spec.name, members, method)
    yield from baselines


def _like(table: str, members: Sequence[RowSpec], method: str) -> list[RowSpec]:
    """Rows of ``method`` like those of the first one that the table has.

    Settings are that one's own: rows that have some are a model only where all have, and then one.
    """
    models = [row for row in members if row.method == members[0].method and not row.settings]
    models = models or [replace(members[0], settings={}, label="", iteration_fraction=0.0)]
    cls = method_class(method)
    images = any(row.images for row in models)
    if any(row.iteration_fraction for row in members):
        if not _has_iterations(cls):
            raise UsageError(
                f"--methods {method}: has no iterations, and rows of {table} are parts of them"
            )
        if images and cls.student_use != "none":
            raise UsageError(
                f"--methods {method}: makes its images with a student, and rows of {table} are a "
                "part of its images in a part of the iterations"
            )
    elif images and cls.student_use == "joint":
        models = [replace(models[0], images=0)]  # its student sees new ones in every step
    rows = []
    for model in models:
        named = TITLE in model.label
        variant = model.variant.replace(model.method, method, 1) if named else ""
        label, series = (model.label, model.series) if named else ("", "")
        rows.append(replace(model, method=method, variant=variant, label=label, series=series))
    return rows


def _has_iterations(cls: type[Any]) -> bool:
    """Whether they are a setting of the method."""
    return is_dataclass(cls) and any(f.init and f.name == "iterations" for f in fields(cls))
