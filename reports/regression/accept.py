"""Turn a view's records into accepted numbers, and say what that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, cast

from reports.machine import device_class
from reports.records import Record, RecordError
from reports.regression.accepted import Accepted, as_written
from reports.tables.layout import View
from reports.tables.measured import tidy

LEAST = 3


class RefusedError(RecordError):
    """Numbers that must not be accepted, or not be compared; one line says why."""


def accepted_from(view: View, records: Mapping[str, Record]) -> list[Accepted]:
    """Every number of the view; RefusedError under three seeds or over several devices."""
    units = {column.id: column.unit for column in view.columns}
    numbers = []
    for line in cast(list[dict[str, Any]], tidy(view, records).to_dict("records")):
        found = [records[key] for key in line["records"]]
        if len(found) < LEAST:
            raise RefusedError(
                f"{view.name}: {line['row']} {line['column']} has {len(found)} of the {LEAST} "
                f"seeds or more that are needed: give --seeds {LEAST} or more"
            )
        numbers.append(
            Accepted(
                row=line["row"],
                column=line["column"],
                metric=line["metric"],
                unit=units[line["column"]],
                mean=fmean(line["values"]),
                sd=stdev(line["values"]),
                n=len(found),
                values=tuple(line["values"]),
                seeds=tuple(line["seeds"]),
                device=device_of(view, found),
                versions=_all(f"torch={r.provenance.versions.get('torch', '?')}" for r in found),
                commit=_all(record.provenance.commit or "?" for record in found),
                records=tuple(line["records"]),
            )
        )
    return numbers


def device_of(view: View, records: Sequence[Record]) -> str:
    """The device class of all the records; RefusedError if there are several."""
    found = sorted({device_class(record.provenance.device) for record in records})
    if len(found) > 1:
        raise RefusedError(f"{view.name}: its records are of several devices: {', '.join(found)}")
    return found[0]


def changes(before: Sequence[Accepted], after: Sequence[Accepted]) -> Iterator[str]:
    """One line for each number that is new, gone or another one."""
    old, new = ({number.place: number for number in numbers} for numbers in (before, after))
    for place in sorted(old.keys() | new.keys()):
        name = f"{place[0]} {place[1]}"
        if place not in new:
            yield f"{name}: gone, was {_brief(old[place])}"
        elif place not in old:
            yield f"{name}: new, {_brief(new[place])}"
        elif as_written(old[place]) != as_written(new[place]):
            yield f"{name}: {_brief(old[place])} -> {_brief(new[place])}"


def _brief(number: Accepted) -> str:
    return f"{number.mean:.6g} ± {number.sd:.2g} (n = {number.n}, {number.device})"


def _all(names: Iterator[str]) -> str:
    return " ".join(sorted(set(names)))
