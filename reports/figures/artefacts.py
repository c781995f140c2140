"""The one way to a file in a record's folder: it must be the file that the record sealed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reports.records import Record, RecordError, folder_of


def read_artefact(record: Record, file: str, runs: Path) -> bytes:
    """The bytes of ``runs/<kind>/<label>-<key>/<file>``.

    RecordError, one line with the path, if it is missing, cannot be read, or differs from the
    sha256 in ``record.artefacts``. A file that the record doesn't list is not checked.
    """
    path = folder_of(runs, record) / file
    if not file or Path(file).name != file:
        raise RecordError(f"{path}: {file!r} is not a plain file name")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    sealed = record.artefacts.get(file, "")
    if sealed and hashlib.sha256(data).hexdigest() != sealed:
        raise RecordError(f"{path}: not the file its record names")
    return data
