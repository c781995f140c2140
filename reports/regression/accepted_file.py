"""Accepted numbers are kept in the repository as CSV: ``<table>-<scale>-<dataset>.csv``.

A mean that does not follow from the values beside it is refused when the file is read.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import fmean

import msgspec

from reports.records import RecordError, write_atomically
from reports.regression.accepted import Accepted, RefusedError, as_kept, refuse_several, sd_of
from reports.tables.layout import Table

FOLDER = Path(__file__).parents[1] / "accepted"
ROUNDING = 1e-6  # relative: the file has nine digits
COLUMNS = list(Accepted.__struct_fields__)
NEEDED = COLUMNS[: COLUMNS.index("machine")]  # older files have none of those that follow
LISTS = ("values", "seeds", "records", "again", "again_seeds")


def path_of(table: Table, folder: Path = FOLDER) -> Path:
    """Where the accepted numbers of a table lie."""
    return folder / f"{table.whole_stem}.csv"


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
    refuse_several(path, {number.made_on for number in found if not number.fixed})
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
    """The numbers of a file; RecordError in one line if missing, malformed or inconsistent."""
    try:
        reader = csv.DictReader(path.read_text("utf-8").splitlines())
        names = list(reader.fieldnames or ())
        if names != COLUMNS[: max(len(names), len(NEEDED))]:
            raise ValueError("other columns")
        numbers = []
        for line in reader:
            lists = {name: line[name].split() for name in LISTS if name in line}
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
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
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
    return as_kept(value) if isinstance(value, float) else str(value)


def _fault(number: Accepted) -> str:
    """What does not follow from the values."""
    counts = {len(number.values), len(number.seeds), len(set(number.seeds)), len(number.records)}
    if counts != {number.n} or not number.n:
        return "not a value, a seed and a record for each n, one or more"
    if not number.dataset:
        return "of which data set is not said"
    again = set(number.again_seeds)
    counts = {len(number.again), len(again), len(number.again_seeds), len(number.again_places)}
    if len(counts) > 1 or not again <= set(number.seeds) or (again and number.fixed):
        return "not a second value and its place for each seed that has one"
    if not all(map(math.isfinite, (number.mean, number.sd, *number.values, *number.again))):
        return "a value is not finite"
    for name, stated, found in (
        ("mean", number.mean, fmean(number.values)),
        ("sd", number.sd, sd_of(number.values)),
    ):
        if abs(stated - found) > ROUNDING * max(1.0, abs(number.mean)):
            return f"the {name} is {stated:g}, its values give {found:g}: accept, don't type"
    return ""


def _brief(number: Accepted) -> str:
    if number.fixed:
        return f"{number.mean:.6g} (fixed, {number.device})"
    again = f", {len(number.again)} of them again" if number.again else ""
    return f"{number.mean:.6g} ± {number.sd:.2g} (n = {number.n}, {number.device}{again})"
