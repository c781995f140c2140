"""Which cells of the tables measure a published number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from reports.published import Published, claim_id, paper_notes, published
from reports.records import Record
from reports.tables.layout import Table
from reports.tables.measured import Line, lines_of, measured_frame, values_by_seed

REPEATED = "table3"  # the table whose numbers the text repeats
GAIN = "pruning_gain_at_"
PRUNING, GAINING = "figure6", "ni"
SCALES = ("paper", "mini", "small", "demo")
ONE_TEACHER = "all seeds share one teacher"


@dataclass(frozen=True)
class MeasuredClaim:
    """A published number as one table has it: mean over ``n`` seeds, and how it was come by.

    ``variant`` is as a `TableCell` has it; ``teachers`` are the keys of those it rests on.
    """

    table: str
    dataset: str
    scale: str
    mean: float
    sd: float | None
    n: int
    records: tuple[str, ...]
    by_seed: Mapping[int, float] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    remark: str = ""
    variant: str = ""
    teachers: tuple[str, ...] = ()


def measured_claims(
    tables: Sequence[Table], records: Mapping[str, Record]
) -> dict[str, list[MeasuredClaim]]:
    """What was measured, by the id of the published number; RecordError for unusable records."""
    found: dict[str, list[MeasuredClaim]] = defaultdict(list)
    for table in tables:
        lines = lines_of(measured_frame(table, records))
        cells = {(row.id, column): cell for row in table.rows for column, cell in row.cells.items()}
        for line in lines:
            if line["claim"] and line["n"]:
                variant = cells[line["row"], line["column"]].variant
                of = values_by_seed(line), line["records"], line["teachers"]
                found[line["claim"]].append(_measured(table, *of, variant=variant))
        if table.id == PRUNING:
            for number in published().values():
                if number.metric.startswith(GAIN) and (gain := _gain(number, table, lines)):
                    found[number.id].append(gain)
    for number in published().values():
        if number.note == "repeats":
            names = (number.dataset, number.teacher, number.student, number.method, number.metric)
            found[number.id] += found[claim_id(REPEATED, *names)]
    return found


def most_comparable(among: Sequence[MeasuredClaim], number: Published) -> MeasuredClaim | None:
    """The first by `comparability`, then that of more seeds."""
    return min(
        among, key=lambda one: (*comparability(one, number), -one.n, one.table), default=None
    )


def comparability(measured: MeasuredClaim, number: Published) -> tuple[object, ...]:
    """What sorts the most comparable first: the same data set, then the larger scale, then the
    recipes as they are, then the variant that ``number`` is of, if any, then the plain method.
    """
    scale = SCALES.index(measured.scale) if measured.scale in SCALES else len(SCALES)
    published_of = paper_notes().variants.get(number.note)
    variant = f"{number.method}-{published_of}" if published_of else ""
    other_data, by_hand = measured.dataset != number.dataset, bool(measured.overrides)
    return other_data, scale, by_hand, measured.variant != variant, measured.variant


def remarks(n: int, *measured: MeasuredClaim) -> list[str]:
    """What a reader must know of how these were come by, of which ``n`` seeds are looked at."""
    said = [one.remark for one in measured if one.remark]
    if variants := [one.variant for one in measured if one.variant]:
        said.append(f"measured with {' and '.join(variants)}")
    teachers = {teacher for one in measured for teacher in one.teachers}
    if n > 1 and len(teachers) == 1 and all(one.teachers for one in measured):
        said.append(ONE_TEACHER)
    return said


def _measured(
    table: Table,
    by_seed: Mapping[int, float],
    records: Sequence[str],
    teachers: Sequence[str],
    remark: str = "",
    variant: str = "",
) -> MeasuredClaim:
    values = list(by_seed.values())
    return MeasuredClaim(
        table=table.name,
        dataset=table.dataset,
        scale=table.scale,
        mean=fmean(values),
        sd=stdev(values) if len(values) > 1 else None,
        n=len(values),
        records=tuple(records),
        by_seed=by_seed,
        overrides=tuple(table.overrides),
        remark=remark,
        variant=variant,
        teachers=tuple(teachers),
    )


def _gain(number: Published, table: Table, lines: Sequence[Line]) -> MeasuredClaim | None:
    """NI minus the best other method at the ratio, seed by seed, in percentage points.

    None where the table is of another teacher than the published number.
    """
    ratio = number.metric.removeprefix(GAIN)
    claims = {row.id: row.cells[GAINING].claim for row in table.rows if GAINING in row.cells}
    if f"/{number.teacher}/" not in claims.get(ratio, ""):
        return None
    titles = {column.id: column.title for column in table.columns if column.role == "method"}
    row = {
        line["column"]: line
        for line in lines
        if line["row"] == ratio and line["column"] in titles and line["n"]
    }
    own = row.pop(GAINING, None)
    if own is None or not row:
        return None
    other = max(row.values(), key=lambda line: float(line["mean"]))
    values = values_by_seed(other)
    gains = {
        seed: value - values[seed] for seed, value in values_by_seed(own).items() if seed in values
    }
    if not gains:
        return None
    used = own["records"] + other["records"]
    teachers = sorted({*own["teachers"], *other["teachers"]})
    return _measured(table, gains, used, teachers, f"here over {titles[other['column']]}")
