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

    RecordError with the path for what is no number or not finite, for a column that doesn't exist,
    an empty file; and as `read_artefact`, which says whether the file is the record's.
    """
    path = folder_of(runs, record) / file
    data = read_artefact(record, file, runs)
    types: dict[str, Any] = {**dict.fromkeys(numbers, float), **dict.fromkeys(texts, str)}
    read: dict[str, Any] = {"dtype": types, "index_col": False, "keep_default_na": False}
    try:
        frame: pd.DataFrame = pd.read_csv(io.BytesIO(data), **read)
    except ValueError as error:
        raise RecordError(f"{path}: not such a CSV file ({str(error).splitlines()[0]})") from None
    for name in types:
        if name not in frame:
            raise RecordError(f"{path}: no {name!r}; it has {', '.join(map(str, frame))}")
    if frame.empty:
        raise RecordError(f"{path}: no rows")
    if not np.isfinite(frame[list(numbers)]).all(axis=None):
        raise RecordError(f"{path}: not every number is finite")
    return frame
