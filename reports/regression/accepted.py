"""Accepted numbers: what a table gave over several seeds, kept in the repository as CSV.

One file per table, ``<table>-<scale>-<dataset>.csv``. Numbers come from records only; a mean that
does not follow from the values beside it is refused when the file is read.

``again`` are the same seeds computed a second time with other rounding (another CPU, other vector
instructions, another number of threads): what differs there is no fault, and how much it differs is
what a change of code is held against, seed by seed (`check`).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

import msgspec

from reports.machine import device_class, devices_of
from reports.records import Record, RecordError, computed_for, write_atomically
from reports.tables.layout import Table
from reports.tables.measured import NOT_STATED, Line, lines_of, measured_frame, stated_by

FOLDER = Path(__file__).parents[1] / "accepted"
MIN_SEEDS = 3
ROUNDING = 1e-6  # relative: the file has nine digits

NumberKey = tuple[str, str, str, str]  # row, column, metric, unit


class RefusedError(RecordError):
    """Numbers that must not be accepted, or not be compared; one line says why."""


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted number in its unit: ``values`` by seed, where they are from, and of what.

    ``again``, where it was measured, is by seed as well. A number that is the same for all seeds,
    such as a ready teacher's, has one value. ``data_fingerprint`` is of the real images, where the
    records state it.
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

    @property
    def fixed(self) -> bool:
        """Whether nothing in it is drawn by a seed: it has no spread to be compared by."""
        return self.n == 1

    @property
    def made_on(self) -> str:
        """What numbers must have in common to be compared: class of device, and precision."""
        return f"{self.device} in {self.precision}"

    def is_of(self, dataset: str, fingerprint: str) -> bool:
        """Whether it is of this data: the same images, or if these are not stated the same name."""
        if self.data_fingerprint and fingerprint:
            return self.data_fingerprint == fingerprint
        return self.dataset == dataset

    @property
    def rounding(self) -> float:
        """Standard deviation of one seed's value over roundings; n degrees of freedom."""
        pairs = zip(self.values, self.again, strict=True)
        return math.sqrt(fmean((one - other) ** 2 for one, other in pairs) / 2)

    @property
    def key(self) -> NumberKey:
        """What the number is of: only numbers of one key are compared."""
        return self.row, self.column, self.metric, self.unit


def path_of(table: Table, folder: Path = FOLDER) -> Path:
    """Where the accepted numbers of a table lie."""
    return folder / f"{table.whole_stem}.csv"


def accepted_from(
    table: Table, records: Mapping[str, Record], again: Mapping[str, Record] | None = None
) -> list[Accepted]:
    """Every number of the table; RefusedError under three seeds or over several devices.

    ``again`` are records of the same cells with other rounding, of every seed, on the same class of
    device and in the same precision.
    """
    units = {column.id: column.unit for column in table.columns}
    second: dict[tuple[str, str], Line] = {}
    if again is not None:
        lines = lines_of(measured_frame(table, again))
        second = {(line["row"], line["column"]): line for line in lines}
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
        twice: tuple[float, ...] = ()
        if again is not None:
            other = second[line["row"], line["column"]]
            if fault := _not_again(line, other, found, computed_for(other["records"], again)):
                raise RefusedError(f"{table.name}: {line['row']} {line['column']} {fault}")
            twice = other["values"]
        numbers.append(
            Accepted(
                row=line["row"],
                column=line["column"],
                metric=line["metric"],
                unit=units[line["column"]],
                mean=fmean(line["values"]),
                sd=_sd(line["values"]),
                n=int(line["n"]),
                values=line["values"],
                seeds=line["seeds"],
                device=device,
                precision=precision,
                versions=_all(f"torch={r.provenance.versions.get('torch', '?')}" for r in found),
                commit=_all(record.provenance.commit or "?" for record in found),
                records=line["records"],
                again=twice,
                dataset=table.dataset,
                data_fingerprint=fingerprint_of(line["records"], records),
            )
        )
    _refuse_several(table.name, {number.made_on for number in numbers if not number.fixed})
    return numbers


def fingerprint_of(keys: Iterable[str], records: Mapping[str, Record]) -> str:
    """Of the real images that these records rest on; empty if none of them states it."""
    stated = {str(stated_by("data_fingerprint", records[key], records)) for key in keys}
    return " ".join(sorted(stated - {NOT_STATED}))


def with_other_rows(
    path: Path, before: Sequence[Accepted], numbers: Sequence[Accepted], *, rows_alone: bool
) -> list[Accepted]:
    """What the file will hold: ``numbers``, and with ``rows_alone`` those before of other rows.

    RefusedError if the file has numbers of other data, or would have some of several devices.
    """
    new = numbers[0]
    for number in before:
        if not number.is_of(new.dataset, new.data_fingerprint):
            raise RefusedError(
                f"{path}: has accepted numbers of other data ({number.dataset}, these are of "
                f"{new.dataset}): give another --accepted-dir, or remove the file"
            )
    rows = {number.row for number in numbers}
    found = [one for one in before if rows_alone and one.row not in rows] + list(numbers)
    _refuse_several(path, {number.made_on for number in found if not number.fixed})
    return found


def refuse_shared_files(tables: Iterable[Table], folder: Path) -> None:
    """RefusedError if two tables of one command have one file, as two folders of one name do."""
    paths: dict[Path, Table] = {}
    for table in tables:
        other = paths.setdefault(path_of(table, folder), table)
        if other is not table:
            raise RefusedError(
                f"{path_of(table, folder)}: would be of {other.name} and of {table.name}"
            )


def made_on(table: Table, records: Sequence[Record]) -> tuple[str, str]:
    """Class of device and precision of all the records; RefusedError if there are several."""
    _refuse_several(table.name, devices_of(records))
    made = records[0].provenance
    return device_class(made.device), made.precision


def _refuse_several(where: str | Path, made: Iterable[str]) -> None:
    found = sorted(made)
    if len(found) > 1:
        several = ", ".join(found)
        raise RefusedError(f"{where}: its records are of several devices: {several}")


def _not_again(line: Line, other: Line, made: Sequence[Record], again: Sequence[Record]) -> str:
    """Why the other records are not the same seeds computed a second time; empty if they are."""
    if other["seeds"] != line["seeds"]:
        return "was not computed again with every seed: run the table there to its end"
    if (here := devices_of(made)) != (there := devices_of(again)):
        return f"is of {', '.join(here)}, and again of {', '.join(there)}: no other rounding alone"
    known = {record.key: record for record in made}
    if same := [one for one in again if known.get(one.key) == one]:
        return f"was not computed again: {same[0].label}-{same[0].key} is the same record"
    return ""


def changes(before: Sequence[Accepted], after: Sequence[Accepted]) -> Iterator[str]:
    """One line for each number that is new, gone or another one."""
    old, new = ({number.key: number for number in numbers} for numbers in (before, after))
    for key in sorted(old.keys() | new.keys()):
        name = f"{key[0]} {key[1]}"
        if key not in new:
            yield f"{name}: gone, was {_brief(old[key])}"
        elif key not in old:
            yield f"{name}: new, {_brief(new[key])}"
        elif _as_written(old[key]) != _as_written(new[key]):
            yield f"{name}: {_brief(old[key])} -> {_brief(new[key])}"


def read(path: Path) -> list[Accepted]:
    """The numbers of a file; RecordError in one line if it is missing, malformed or retouched."""
    try:
        reader = csv.DictReader(path.read_text("utf-8").splitlines())
        if reader.fieldnames != list(Accepted.__struct_fields__):
            raise ValueError("other columns")
        numbers = []
        for line in reader:
            lists = {name: line[name].split() for name in ("values", "seeds", "records", "again")}
            numbers.append(msgspec.convert({**line, **lists}, Accepted, strict=False))
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, AttributeError, TypeError, msgspec.ValidationError) as error:
        raise RecordError(f"{path}: no accepted numbers of this project ({error})") from None
    for number in numbers:
        if fault := _fault(number):
            raise RecordError(f"{path}: {number.row} {number.column}: {fault}")
    if len({number.key for number in numbers}) < len(numbers):
        raise RecordError(f"{path}: a number appears twice")
    return numbers


def write(path: Path, numbers: Sequence[Accepted]) -> None:
    """Write the file atomically, sorted by what the numbers are of."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(Accepted.__struct_fields__), lineterminator="\n")
    writer.writeheader()
    for number in sorted(numbers, key=lambda one: one.key):
        writer.writerow(_as_written(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue().encode())


def _as_written(number: Accepted) -> dict[str, str]:
    """The line of the file."""
    return {name: _text(getattr(number, name)) for name in Accepted.__struct_fields__}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _fault(number: Accepted) -> str:
    """What does not follow from the values."""
    counts = {len(number.values), len(number.seeds), len(set(number.seeds)), len(number.records)}
    if counts != {number.n} or not number.n:
        return "not a value, a seed and a record for each n, one or more"
    if not number.dataset:
        return "of which data set is not said"
    if number.again and len(number.again) != number.n:
        return "not every seed was computed again"
    if not all(map(math.isfinite, (number.mean, number.sd, *number.values, *number.again))):
        return "a value is not finite"
    for name, stated, found in (
        ("mean", number.mean, fmean(number.values)),
        ("sd", number.sd, _sd(number.values)),
    ):
        if abs(stated - found) > ROUNDING * max(1.0, abs(number.mean)):
            return f"the {name} is {stated:g}, its values give {found:g}: accept, don't type"
    return ""


def _sd(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _brief(number: Accepted) -> str:
    if number.fixed:
        return f"{number.mean:.6g} (fixed, {number.device})"
    return f"{number.mean:.6g} ± {number.sd:.2g} (n = {number.n}, {number.device})"


def _all(names: Iterator[str]) -> str:
    return " ".join(sorted(set(names)))
