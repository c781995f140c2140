"""A part of a table, or the table for others: ``--methods``, ``--rows`` and ``--teacher``."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from benchmarks.recipes.methods import method_class
from benchmarks.tables.spec import ColumnSpec, RowSpec, TableSpec
from naturalinversion.classifiers import ARCHITECTURES
from naturalinversion.errors import UsageError

CONTROLS = ("real", "noise")  # in place of a method, they stay whatever is chosen


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

    A method that the table doesn't have gets columns or rows like those of the first it has.
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
    if any(column.method for column in spec.columns):
        together = list(methods) if spec.defaults.methods else []
        defaults = replace(spec.defaults, methods=together)
        return replace(spec, columns=list(_columns(spec, methods)), defaults=defaults)
    if any(row.method for row in spec.rows):
        return replace(spec, rows=list(_rows(spec, methods)))
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
        methods = dict.fromkeys(c.method for c in spec.columns if c.method not in CONTROLS)
        words.append(f"methods {', '.join(filter(None, methods))}")
    return "; ".join(words)


def _columns(spec: TableSpec, methods: Sequence[str]) -> Iterator[ColumnSpec]:
    ranked = [column for column in spec.columns if column.role == "method"]
    if not ranked:  # methods side by side that are not ranked
        ranked = [column for column in spec.columns if column.method]
    for column in spec.columns:
        if column not in ranked:
            kept = column.method in ("", *CONTROLS)
            yield column if kept else replace(column, method=methods[0])
    for group in dict.fromkeys(column.group for column in ranked):
        members = {column.method: column for column in ranked if column.group == group}
        model = next(iter(members.values()))
        for method in methods:
            if model.student_use not in ("", method_class(method).student_use):
                continue
            identity = model.id.replace(model.method, method, 1)
            yield members.get(method) or replace(model, id=identity, method=method)


def _rows(spec: TableSpec, methods: Sequence[str]) -> Iterator[RowSpec]:
    members = [row for row in spec.rows if row.role == "method"]
    if not members:
        raise UsageError(f"--methods: no row of {spec.name} has a method")
    baselines = [row for row in spec.rows if row.role == "baseline"]
    for method in methods:
        if method in {row.method for row in baselines}:
            continue  # they stand below whatever is chosen
        own = [row for row in members if row.method == method]
        models = members[:1]
        if models[0].images:  # rows are numbers of images: all, or one where the student is joint
            models = [row for row in members if row.method == models[0].method]
            if method_class(method).student_use == "joint":
                models = [replace(models[0], images=0)]
        bare = {"method": method, "variant": "", "settings": {}, "label": ""}
        yield from own or [replace(row, **bare) for row in models]
    yield from baselines
