"""Columns of a record's CSV file, every number of them finite."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.records import Record, RecordError, folder_of, read_artefact


def read_columns(
    record: Record, file: str, runs: Path, numbers: Sequence[str], texts: Sequence[str] = ()
) -> pd.DataFrame:
    """A CSV file that has the columns named.

    RecordError with path and column for a number that is none or not finite, a column that doesn't
    exist, an empty file; and as `read_artefact`, which says whether the file is the record's.
    """
    path = folder_of(runs, record) / file
    data = read_artefact(record, file, runs)
    try:
        options: dict[str, Any] = {"dtype": dict.fromkeys(texts, str), "keep_default_na": False}
        frame: pd.DataFrame = pd.read_csv(io.BytesIO(data), index_col=False, **options)
    except ValueError as error:
        raise RecordError(f"{path}: not a CSV file ({str(error).splitlines()[0]})") from None
    for name in (*numbers, *texts):
        if name not in frame:
            raise RecordError(f"{path}: no {name!r}; it has {', '.join(map(str, frame))}")
    if frame.empty:
        raise RecordError(f"{path}: no rows")
    for name in numbers:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
        if not np.isfinite(frame[name]).all():
            raise RecordError(f"{path}: {name}: not every value is a finite number")
    return frame
