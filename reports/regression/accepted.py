"""Accepted numbers: what a table gave over several seeds, kept in the repository as CSV.

One file per view, ``<table>-<scale>-<dataset>.csv``. Numbers come from records only; a mean that
does not follow from the values beside it is refused when the file is read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

import msgspec

from reports.records import RecordError, write_atomically
from reports.tables.layout import View

FOLDER = Path(__file__).parents[1] / "accepted"
ROUNDING = 1e-6  # relative: the file has nine digits

Place = tuple[str, str, str, str]  # row, column, metric, unit


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted number in its unit: ``values`` by seed, where they are from, and of what."""

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
    versions: str
    commit: str
    records: tuple[str, ...]

    @property
    def place(self) -> Place:
        """What the number is of: only numbers of one place are compared."""
        return self.row, self.column, self.metric, self.unit


def path_of(view: View, folder: Path = FOLDER) -> Path:
    """Where the accepted numbers of a view lie."""
    data = Path(view.dataset.rpartition(":")[2]).name
    return folder / f"{view.table}-{view.scale}-{data}.csv"


def read(path: Path) -> list[Accepted]:
    """The numbers of a file; RecordError in one line if it is missing, malformed or retouched."""
    try:
        reader = csv.DictReader(path.read_text("utf-8").splitlines())
        if reader.fieldnames != list(Accepted.__struct_fields__):
            raise ValueError("other columns")
        numbers = [_number(line) for line in reader]
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, AttributeError, TypeError, msgspec.ValidationError) as error:
        raise RecordError(f"{path}: no accepted numbers of this project ({error})") from None
    for number in numbers:
        if fault := _fault(number):
            raise RecordError(f"{path}: {number.row} {number.column}: {fault}")
    if len({number.place for number in numbers}) < len(numbers):
        raise RecordError(f"{path}: a number appears twice")
    return numbers


def write(path: Path, numbers: Sequence[Accepted]) -> None:
    """Write the file atomically, sorted by what the numbers are of."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(Accepted.__struct_fields__), lineterminator="\n")
    writer.writeheader()
    for number in sorted(numbers, key=lambda one: one.place):
        writer.writerow(as_written(number))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue().encode())


def as_written(number: Accepted) -> dict[str, str]:
    """The line of the file."""
    return {name: _text(getattr(number, name)) for name in Accepted.__struct_fields__}


def _number(line: Mapping[str, str]) -> Accepted:
    lists = {name: line[name].split() for name in ("values", "seeds", "records")}
    return msgspec.convert({**line, **lists}, Accepted, strict=False)


def _fault(number: Accepted) -> str:
    """What does not follow from the values."""
    if not number.n == len(number.values) == len(set(number.seeds)) == len(number.records):
        return "not a value, a seed and a record for each n"
    if number.n < 2:
        return "a single value has no sd"
    for name, stated, found in (
        ("mean", number.mean, fmean(number.values)),
        ("sd", number.sd, stdev(number.values)),
    ):
        if abs(stated - found) > ROUNDING * max(1.0, abs(number.mean)):
            return f"the {name} is {stated:g}, its values give {found:g}: accept, don't type"
    return ""


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.9g}" if isinstance(value, float) else str(value)
