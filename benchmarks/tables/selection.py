"""A part of a table, or the table for other methods: ``--methods`` and ``--rows``."""

from collections.abc import Iterator, Sequence

import msgspec

from benchmarks.tables.spec import ColumnSpec, RowSpec, TableSpec
from naturalinversion.errors import UsageError


def on_dataset(spec: TableSpec, dataset: str) -> TableSpec:
    """The rows that stand in the half for ``dataset``, or in both."""
    rows = [row for row in spec.row if row.dataset in ("", dataset)]
    return msgspec.structs.replace(spec, row=rows)


def chosen(spec: TableSpec, methods: Sequence[str], rows: Sequence[str]) -> TableSpec:
    """Some methods and rows of ``spec``; empty choices keep all.

    A method that the table doesn't have gets columns or rows like those of the first it has.
    """
    if len(set(methods)) < len(methods):
        raise UsageError(f"a method is named twice: {' '.join(methods)}")
    if unknown := sorted(set(rows) - {row.name for row in spec.row}):
        known = dict.fromkeys(row.name for row in spec.row)
        raise UsageError(f"unknown row '{unknown[0]}': one of {', '.join(known)}")
    if rows:
        spec = msgspec.structs.replace(spec, row=[row for row in spec.row if row.name in rows])
    if not methods:
        return spec
    if any(column.method for column in spec.column):
        return msgspec.structs.replace(
            spec,
            column=list(_columns(spec, methods)),
            all=msgspec.structs.replace(spec.all, sets=list(methods) if spec.all.sets else []),
        )
    if any(row.method for row in spec.row):
        return msgspec.structs.replace(spec, row=list(_rows(spec, methods)))
    raise UsageError(f"--methods: {spec.name} is about one method")


def _columns(spec: TableSpec, methods: Sequence[str]) -> Iterator[ColumnSpec]:
    competing = [column for column in spec.column if column.role == "method"]
    if not competing:  # methods side by side that are not ranked
        competing = [column for column in spec.column if column.method]
    for column in spec.column:
        if column not in competing:
            method = methods[0] if column.method else ""
            yield msgspec.structs.replace(column, method=method)
    for group in dict.fromkeys(column.group for column in competing):
        members = {column.method: column for column in competing if column.group == group}
        model = next(iter(members.values()))
        for method in methods:
            identity = model.id.replace(model.method, method, 1)
            new = msgspec.structs.replace(model, id=identity, method=method)
            yield members.get(method, new)


def _rows(spec: TableSpec, methods: Sequence[str]) -> Iterator[RowSpec]:
    members = [row for row in spec.row if row.role == "method"]
    if not members:
        raise UsageError(f"--methods: no row of {spec.name} has a method")
    baselines = [row for row in spec.row if row.role == "baseline"]
    for method in methods:
        if method in {row.method for row in baselines}:
            continue  # they stand below whatever is chosen
        own = [row for row in members if row.method == method]
        plain = {"method": method, "variant": "", "settings": {}, "label": ""}
        yield from own or [msgspec.structs.replace(members[0], **plain)]
    yield from baselines
