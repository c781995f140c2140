"""Second values of accepted numbers: the same cells computed elsewhere, with other rounding.

Elsewhere is another processor, GPU, precision or version of a library: whatever differs between the
two values of a seed is no fault of the code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from reports.records import Record, computed_for
from reports.regression.accepted import (
    SEPARATOR,
    Accepted,
    NumberKey,
    RefusedError,
    as_kept,
    fingerprint_of,
    made_on,
)
from reports.tables.layout import Table
from reports.tables.measured import lines_of, measured_frame

Records = Mapping[str, Record]


class Second(NamedTuple):
    """The second value of a seed, and the device and precision that it was computed in."""

    number: NumberKey
    seed: int
    value: float
    place: str


def with_again(
    table: Table, accepted: Sequence[Accepted], runs: Mapping[str, Records]
) -> list[Accepted]:
    """The numbers with the second values that ``runs``, by the names of their folders, have.

    Of several the last counts, and values of seeds that none of them has stay. RefusedError for
    records of other cells or other data than the accepted ones, for a seed that was not computed
    elsewhere, and where there is nothing.
    """
    found: dict[NumberKey, dict[int, tuple[float, str]]] = {
        number.key: dict(_before(number)) for number in accepted
    }
    known = {number.key: number for number in accepted if not number.fixed}
    for name, records in runs.items():
        seconds = list(_seconds(table, known, records))
        if not seconds:
            raise RefusedError(f"{name}: nothing of {table.name} that is accepted")
        _refuse_the_same(name, known, seconds)
        for one in seconds:
            found[one.number][one.seed] = one.value, one.place
    return [_with(number, found[number.key]) for number in accepted]


def with_again_of(
    before: Sequence[Accepted], numbers: Sequence[Accepted]
) -> tuple[list[Accepted], int]:
    """``numbers`` with the second values that ``before`` has beside the same values of seeds, and
    how many of these are gone: what a seed has now is not what the second one was another of.
    """
    old, gone, found = {number.key: number for number in before}, 0, []
    for number in numbers:
        earlier = old.get(number.key)
        seconds = dict(_before(earlier)) if earlier else {}
        first, now = earlier.by_seed if earlier else {}, number.by_seed
        kept = {
            seed: second
            for seed, second in seconds.items()
            if seed in now and as_kept(now[seed]) == as_kept(first[seed])
        }
        gone += len(seconds) - len(kept)
        found.append(_with(number, kept))
    return found, gone


def _before(number: Accepted) -> Iterator[tuple[int, tuple[float, str]]]:
    values = zip(number.again, number.again_places, strict=True)
    yield from zip(number.again_seeds, values, strict=True)


def _seconds(
    table: Table, known: Mapping[NumberKey, Accepted], records: Records
) -> Iterator[Second]:
    units = {column.id: column.unit for column in table.columns}
    for line in lines_of(measured_frame(table, records)):
        key = line["row"], line["column"], line["metric"], units[line["column"]]
        if not line["n"] or key not in known:
            continue
        number = known[key]
        where = f"{table.name}: {number.row} {number.column}"
        if not number.is_of(table.dataset, fingerprint_of(line["records"], records)):
            raise RefusedError(f"{where}: records of other data than the accepted numbers")
        cells = dict(zip(number.seeds, number.records, strict=True))
        for seed, cell, value in zip(line["seeds"], line["records"], line["values"], strict=True):
            if seed not in cells:
                continue
            if cell != cells[seed]:
                raise RefusedError(
                    f"{where}, seed {seed}: {records[cell].label}-{cell} is not of the accepted "
                    f"cell {cells[seed]}"
                )
            yield Second(
                key, seed, value, " in ".join(made_on(table, computed_for([cell], records)))
            )


def _refuse_the_same(
    name: str, known: Mapping[NumberKey, Accepted], seconds: Sequence[Second]
) -> None:
    """RefusedError if all values of a seed are the accepted ones: it is the first run's."""
    equal: defaultdict[int, list[bool]] = defaultdict(list)
    for one in seconds:
        first = known[one.number].by_seed[one.seed]
        equal[one.seed].append(as_kept(one.value) == as_kept(first))
    for seed, same in sorted(equal.items()):
        if all(same):
            raise RefusedError(
                f"{name}: every value of seed {seed} is the accepted one: it was no other rounding"
            )


def _with(number: Accepted, seconds: Mapping[int, tuple[float, str]]) -> Accepted:
    seeds = tuple(sorted(seconds))
    return msgspec.structs.replace(
        number,
        again=tuple(seconds[seed][0] for seed in seeds),
        again_seeds=seeds,
        again_on=SEPARATOR.join(seconds[seed][1] for seed in seeds),
    )
