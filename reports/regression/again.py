"""Second values of accepted numbers: the same cells computed elsewhere, with other rounding.

Elsewhere is another processor, GPU, precision or version of a library: whatever differs between the
two values of a seed is no fault of the code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from reports.machine import devices_of
from reports.records import Record, computed_for
from reports.regression.accepted import SEPARATOR, Accepted, RefusedError, as_kept
from reports.tables.layout import Table
from reports.tables.measured import lines_of, measured_frame

Second = tuple[float, frozenset[str]]  # value, and where it was computed


def with_again(
    table: Table, accepted: Sequence[Accepted], runs: Sequence[Mapping[str, Record]]
) -> list[Accepted]:
    """The numbers with second values of those seeds that ``runs`` have, each of the first run.

    A number of which they have none keeps what it has. RefusedError for records of other cells than
    the accepted ones, and where there is no second value or none that differs from the first.
    """
    found: dict[tuple[str, str], dict[int, Second]] = {}
    known = {(number.row, number.column): number for number in accepted if not number.fixed}
    for records in runs:
        for line in lines_of(measured_frame(table, records)):
            place = line["row"], line["column"]
            if place not in known or not line["n"]:
                continue
            cells = dict(zip(known[place].seeds, known[place].records, strict=True))
            seeds = zip(line["seeds"], line["records"], line["values"], strict=True)
            for seed, key, value in seeds:
                if seed not in cells:
                    continue
                if key != cells[seed]:
                    raise RefusedError(
                        f"{table.name}: {' '.join(place)}, seed {seed}: {records[key].label}-{key} "
                        f"is not of the accepted cell {cells[seed]}"
                    )
                made = frozenset(devices_of(computed_for([key], records)))
                found.setdefault(place, {}).setdefault(seed, (value, made))
    if not found:
        raise RefusedError(f"{table.name}: nothing of it was computed again")
    if not any(
        as_kept(value) != as_kept(known[place].by_seed[seed])
        for place, seconds in found.items()
        for seed, (value, _) in seconds.items()
    ):
        raise RefusedError(
            f"{table.name}: computed again, every value is the same: it was no other rounding"
        )
    return [_with(number, found.get((number.row, number.column), {})) for number in accepted]


def _with(number: Accepted, seconds: Mapping[int, Second]) -> Accepted:
    if not seconds:
        return number
    seeds = tuple(sorted(seconds))
    places = set.union(*(set(seconds[seed][1]) for seed in seeds))
    return msgspec.structs.replace(
        number,
        again=tuple(seconds[seed][0] for seed in seeds),
        again_seeds=seeds,
        again_on=SEPARATOR.join(sorted(places)),
    )
