"""What the methods of a table cost, from records alone.

The cost of a set of images is the sum over all cells that made it, whole, and over what was made
for their sake only: the students that ADI's images compete with. The teacher is given, and so are
the real images that a control learns from. A cell that was found, not made, has the cost of its
making.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from reports.records import Record
from reports.tables.image_seconds import TEACHER
from reports.tables.layout import Column, Row, Table
from reports.tables.method_cost import MethodCost, SeedCost

NAMED_SET = re.compile(r"images-(.+)-\d+")  # roles of a cell that reads images of several methods
NAMED_BY = {"Method", "Configuration"}  # labels of rows that are methods


class _Name(NamedTuple):
    method: str
    in_labels: bool


BySeed = dict[int, SeedCost]


def costs_of(table: Table, records: Mapping[str, Record]) -> list[MethodCost]:
    """Every method of every row that has been run, in order; one on several machines has a line
    for each, and rows that measure the same cells have one together.

    Empty for a table of no images, such as one of teachers alone.
    """
    found: dict[tuple[str, str, frozenset[str]], list[MethodCost]] = {}
    for row in table.rows:
        for line in _costs_of_row(table, row, records):
            cells = frozenset(record.key for record in line.records)
            found.setdefault((line.method, line.machine, cells), []).append(line)
    return [_together(lines, table) for lines in found.values()]


def _together(lines: Sequence[MethodCost], table: Table) -> MethodCost:
    """One line for the rows of ``lines``, which are of the same cells."""
    labels = {}
    for name in lines[0].labels:
        own = list(dict.fromkeys(line.labels[name] for line in lines))
        every = {row.labels[name] for row in table.rows}
        labels[name] = "all" if len(own) > 1 and set(own) == every else ", ".join(own)
    rows = [row for line in lines for row in line.rows]
    return replace(lines[0], rows=rows, labels=labels)


def _costs_of_row(table: Table, row: Row, records: Mapping[str, Record]) -> Iterator[MethodCost]:
    named: dict[_Name, BySeed] = {}
    nameless: dict[_Name, BySeed] = {}
    controls: dict[_Name, BySeed] = {}
    for column in table.columns:
        cell = row.cells.get(column.id)
        for seed, key in zip(table.seeds, cell.records if cell else [], strict=False):
            if key not in records:
                continue
            if _learned_from_real(records[key]):
                cost = controls.setdefault(_control(row, column), {}).setdefault(seed, SeedCost())
                cost.students[key] = records[key]
            for title, sources in _sets_of(records[key]).items():
                name = _name(title, row, column)
                place = nameless if name is None else named
                name = name or _Name(_in_recipe(sources, records), False)
                cost = place.setdefault(name, {}).setdefault(seed, SeedCost())
                _add(cost, records[key], sources, records)
    # Numbers of no method, such as the pruned teacher's before its tuning, stand beside those that
    # have one, and are made from the images of one of them.
    for name, by_seed in [*(named or nameless).items(), *controls.items()]:
        for machine, seeds in _by_machine(by_seed).items():
            yield MethodCost([row.id], row.labels, *name, machine, seeds)


def _by_machine(by_seed: BySeed) -> dict[str, list[SeedCost]]:
    """The costs of each machine; cells that serve several seeds count once."""
    found: dict[str, dict[frozenset[str], SeedCost]] = {}
    for cost in by_seed.values():
        same = frozenset(cost.makers.keys() | cost.students.keys())
        found.setdefault(cost.machine, {}).setdefault(same, cost)
    return {machine: list(costs.values()) for machine, costs in found.items()}


def _name(title: str, row: Row, column: Column) -> _Name | None:
    """The method that a number is of; None where nothing says."""
    if title or column.method:
        return _Name(title or column.method, in_labels=False)
    if row.method or row.role == "baseline":
        return _Name(row.method, in_labels=bool(NAMED_BY & row.labels.keys()))
    return None


def _control(row: Row, column: Column) -> _Name:
    """What a network trained on real images is called: by its row, or else by its column."""
    if row.role == "baseline" and NAMED_BY & row.labels.keys():
        return _Name(row.method, in_labels=True)
    return _Name(column.title.removesuffix(f", {column.group}"), in_labels=False)


def _learned_from_real(record: Record) -> bool:
    """Whether it is of a network trained on real images in place of a method's: a control."""
    read = record.recipe.get("images")
    none = isinstance(read, Mapping) and not read.get("batches", True)
    return none and "test_accuracy" in record.metrics


def _in_recipe(sources: Sequence[str], records: Mapping[str, Record]) -> str:
    """What the recipe of the last cell calls its method: ADI starts from another's images."""
    recipes = [records[key].recipe for key in sources if key in records]
    return str(recipes[-1].get("method", "")) if recipes else ""


def _sets_of(record: Record) -> dict[str, list[str]]:
    """The cells of images behind a record: by the set's name, "" where there is one set only."""
    if _makes_images(record):
        return {"": [record.key]}
    found: dict[str, list[str]] = {}
    for role, key in record.inputs.items():
        if role.startswith("images"):
            named = NAMED_SET.fullmatch(role)
            found.setdefault(named[1] if named else "", []).append(key)
    return found


def _add(
    cost: SeedCost, record: Record, sources: Sequence[str], records: Mapping[str, Record]
) -> None:
    """Add what made ``sources``, and the record itself if it is of a network trained on them."""
    waiting = list(sources)
    while waiting:
        key = waiting.pop()
        if key in cost.makers:
            continue
        if key not in records:
            cost.complete = False
            continue
        cost.makers[key] = records[key]
        cost.students.pop(key, None)  # its accuracy is a number of the row, its making the images'
        waiting += [other for role, other in records[key].inputs.items() if role != TEACHER]
    if record.key in cost.makers:
        return
    if not _makes_images(record) and "test_accuracy" in record.metrics:
        cost.students[record.key] = record


def _makes_images(record: Record) -> bool:
    return isinstance(record.metrics.get("images"), int)
