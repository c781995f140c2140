"""Accepted numbers: what a table gave over several seeds, from records only.

Some seeds have a second value, computed elsewhere with other rounding (`again`): what differs there
is no fault, and how much it differs is what a change of code is held against, seed by seed
(`check`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, stdev

import msgspec

from reports.machine import device_class, devices_of, machine_name, machines_of
from reports.records import Provenance, Record, RecordError, computed_for
from reports.tables.layout import Table
from reports.tables.measured import NOT_STATED, lines_of, measured_frame, stated_by

MIN_SEEDS = 3
SEPARATOR = "; "  # of places

NumberKey = tuple[str, str, str, str]  # row, column, metric, unit


class RefusedError(RecordError):
    """Numbers that must not be accepted, or not be compared; one line says why."""

    exit_code = 2


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted number in its unit: ``values`` by seed, where they are from, and of what.

    ``again`` has the second values of ``again_seeds``, and ``again_on`` where each was computed. A
    number that is the same for all seeds, such as a ready teacher's, has one value.
    ``data_fingerprint`` is of the real images, where the records state it; ``machine`` has the
    processor with its instructions, precision and threads.
    """

    row: str
    column: str
    metric: str
    unit: str
    mean: float
    sd: float
    n: int
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    device: str
    precision: str
    versions: str
    commit: str
    records: tuple[str, ...]
    again: tuple[float, ...] = ()
    dataset: str = ""
    data_fingerprint: str = ""
    machine: str = ""
    again_seeds: tuple[int, ...] = ()
    again_on: str = ""

    @property
    def fixed(self) -> bool:
        """Whether nothing in it is drawn by a seed: it has no spread to be compared by."""
        return self.n == 1

    @property
    def made_on(self) -> str:
        """Class of device, and precision."""
        return f"{self.device} in {self.precision}"

    @property
    def again_places(self) -> tuple[str, ...]:
        """Of each second value, as in `made_on`."""
        return tuple(self.again_on.split(SEPARATOR)) if self.again_on else ()

    def is_of(self, dataset: str, fingerprint: str) -> bool:
        """Whether it is of this data: the same images, or if these are not stated the same name."""
        if self.data_fingerprint and fingerprint:
            return self.data_fingerprint == fingerprint
        return self.dataset == dataset

    @property
    def rounding(self) -> float:
        """Standard deviation of one seed's value over roundings; a degree of freedom a pair."""
        first = self.by_seed
        pairs = zip(self.again_seeds, self.again, strict=True)
        return math.sqrt(fmean((first[seed] - other) ** 2 for seed, other in pairs) / 2)

    @property
    def by_seed(self) -> dict[int, float]:
        """The first values."""
        return dict(zip(self.seeds, self.values, strict=True))

    @property
    def key(self) -> NumberKey:
        """What the number is of: only numbers of one key are compared."""
        return self.row, self.column, self.metric, self.unit


def accepted_from(table: Table, records: Mapping[str, Record]) -> list[Accepted]:
    """Every number of the table; RefusedError under three seeds or over several devices."""
    units = {column.id: column.unit for column in table.columns}
    numbers = []
    for line in lines_of(measured_frame(table, records)):
        found = computed_for(line["records"], records)
        fixed = line["planned"] == 1 and len(table.seeds) >= MIN_SEEDS
        if line["n"] < (1 if fixed else MIN_SEEDS):
            raise RefusedError(
                f"{table.name}: {line['row']} {line['column']} has {line['n']} of the "
                f"{MIN_SEEDS} seeds or more that are needed: give --seeds {MIN_SEEDS} or more"
            )
        device, precision = made_on(table, found)
        numbers.append(
            Accepted(
                row=line["row"],
                column=line["column"],
                metric=line["metric"],
                unit=units[line["column"]],
                mean=fmean(line["values"]),
                sd=sd_of(line["values"]),
                n=int(line["n"]),
                values=line["values"],
                seeds=line["seeds"],
                device=device,
                precision=precision,
                versions=_all(f"torch={r.provenance.versions.get('torch', '?')}" for r in found),
                commit=_all(record.provenance.commit or "?" for record in found),
                records=line["records"],
                dataset=table.dataset,
                data_fingerprint=fingerprint_of(line["records"], records),
                machine=machines_of(found),
            )
        )
    refuse_several(table.name, {number.made_on for number in numbers if not number.fixed})
    return numbers


def not_exact(number: Accepted, seeds: Sequence[int], here: Provenance) -> str:
    """Why the values of ``seeds``, computed ``here``, can't be the accepted ones to the last digit;
    empty if they can, or if the accepted ones don't say their machine. A number that no seed
    changes has no seeds of its own, and may be of any machine.
    """
    if number.fixed:
        return ""
    place = f"{device_class(here.device)} in {here.precision}"
    if place != number.made_on:
        return f"the accepted values are of {number.made_on}, this is {place}"
    if other := sorted(set(seeds) - set(number.seeds)):
        return f"of seeds {_list(other)} no values are accepted, only of {_list(number.seeds)}"
    if not here.deterministic:
        return "with --fast a GPU's bytes may differ from run to run"
    for accepted, now in (
        (number.versions, f"torch={here.versions.get('torch', '?')}"),
        (number.machine, machine_name(here)),
    ):
        if accepted and accepted != now:
            return f"the accepted values are of {accepted}, this is {now}"
    return ""


def fingerprint_of(keys: Iterable[str], records: Mapping[str, Record]) -> str:
    """Of the real images that these records rest on; empty if none of them states it."""
    stated = {str(stated_by("data_fingerprint", records[key], records)) for key in keys}
    return " ".join(sorted(stated - {NOT_STATED}))


def made_on(table: Table, records: Sequence[Record]) -> tuple[str, str]:
    """Class of device and precision of all the records; RefusedError if there are several."""
    refuse_several(table.name, devices_of(records))
    made = records[0].provenance
    return device_class(made.device), made.precision


def refuse_several(where: object, made: Iterable[str]) -> None:
    """RefusedError, which begins with ``where``, for several devices or precisions."""
    found = sorted(made)
    if len(found) > 1:
        several = ", ".join(found)
        raise RefusedError(f"{where}: its records are of several devices: {several}")


def sd_of(values: Sequence[float]) -> float:
    """Standard deviation; 0 for one value."""
    return stdev(values) if len(values) > 1 else 0.0


def as_kept(value: float) -> str:
    """The nine digits that are kept of a value."""
    return f"{value:.9g}"


def _list(seeds: Iterable[int]) -> str:
    return " ".join(map(str, seeds))


def _all(names: Iterator[str]) -> str:
    return " ".join(sorted(set(names)))
