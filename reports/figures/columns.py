"""Columns of a record's CSV file, every number of them finite."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from reports.figures.artefacts import read_artefact
from reports.records import Record, RecordError, folder_of


def read_columns(
    record: Record, file: str, runs: Path, numbers: Sequence[str], texts: Sequence[str] = ()
) -> pd.DataFrame:
    """The columns named, indexed by line of the file (the header is line 1).

    RecordError with path, line and column for a number that is none or not finite, a line of
    another length, a column that doesn't exist, an empty file; and as `read_artefact`.
    """
    path = folder_of(runs, record) / file
    data = read_artefact(record, file, runs)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path}: not a CSV file ({error})") from None
    if len(rows) < 2:
        raise RecordError(f"{path}: no rows")
    (_, header), *body = rows
    for name in (*numbers, *texts):
        if header.count(name) != 1:
            fault = f"{header.count(name)} columns {name!r}" if name in header else f"no {name!r}"
            raise RecordError(f"{path}: {fault}; it has {', '.join(header)}")
    for line, row in body:
        if len(row) != len(header):
            raise RecordError(f"{path}: line {line} has {len(row)} fields, not {len(header)}")
    found: dict[str, list[float] | list[str]] = {}
    for name in numbers:
        place = header.index(name)
        found[name] = [_finite(row[place], f"{path}: line {line}, {name}") for line, row in body]
    for name in texts:
        place = header.index(name)
        found[name] = [row[place] for _, row in body]
    return pd.DataFrame(found, index=[line for line, _ in body])


def _finite(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RecordError(f"{where}: {text!r} is not a finite number")
    return number
