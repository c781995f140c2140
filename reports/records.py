"""Records: one JSON file per finished cell, written last and atomically, read strictly.

A cell lives in ``runs/<kind>/<label>-<key>/``; its ``record.json`` is what every table, figure and
page is made of. A number that is not finite is refused when written, so no table can show it.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import math
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

log = logging.getLogger(__name__)

SCHEMA = 1
FILE_NAME = "record.json"
MEND = "remove its folder and run its table again"
ABANDONED = 3600  # seconds after which nobody is still writing a draft

Metric = float | int | str | list[float]


class RecordError(ValueError):
    """A record or table cannot be used; the message is one line: the file and the reason."""


class SchemaError(RecordError):
    """A whole record or table, but of another version of this program: not to be overwritten."""


class NotRunError(RecordError):
    """There is no record yet of what is asked for; the message is one line."""


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a cell took when it was made, all attempts together: wall and CPU seconds, images made,
    peak memory in 1e6 bytes (the device's, or on a CPU the process's)."""

    seconds: float
    cpu_seconds: float
    images: int
    peak_memory_mb: float


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a cell ran: commit, library versions, device, precision, threads, ISO start time.

    ``cpu`` is the CPU's model by name; records of before it was kept have none.
    Where it is not ``deterministic``, the same command may give other bytes.
    """

    commit: str
    versions: dict[str, str]
    device: str
    precision: str
    threads: int
    platform: str
    started: str
    cpu: str = ""
    deterministic: bool = True


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One finished cell: accuracies in ``metrics`` are fractions, ``inputs`` maps role -> key.

    ``provenance`` is of the last of ``attempts``; ``machines`` are those of all, by name, where
    there were several.
    """

    schema: int = SCHEMA
    kind: str
    label: str
    key: str
    recipe: dict[str, Any]
    inputs: dict[str, str]
    metrics: dict[str, Metric]
    cost: Cost
    provenance: Provenance
    artefacts: dict[str, str]
    notes: list[str] = []
    attempts: int = 1
    machines: list[str] = []


class _Header(msgspec.Struct):
    schema: int


StructT = TypeVar("StructT", bound=msgspec.Struct)


def folder_of(runs: Path, record: Record) -> Path:
    """The folder of a record's cell, ``runs/<kind>/<label>-<key>``."""
    name = f"{record.label}-{record.key}"
    for part in (record.kind, name):
        if part in ("", ".", "..") or Path(part).name != part:
            raise RecordError(f"record {record.key}: {part!r} cannot be the name of a folder")
    return runs / record.kind / name


def write(folder: Path, record: Record) -> None:
    """Write ``folder/record.json`` atomically; RecordError names a number that is not finite."""
    path = folder / FILE_NAME
    for name, number in _numbers(msgspec.to_builtins(record)):
        if not math.isfinite(number):
            raise RecordError(f"{path}: {name} is {number}; a record holds finite numbers only")
    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(record, order="sorted"), indent=2)
    write_atomically(path, text + b"\n")


def read(path: Path) -> Record:
    """Read one record; RecordError if it is missing, truncated, foreign or of another schema."""
    return read_struct(path, Record, SCHEMA)


def record_files(runs: Path) -> Iterator[tuple[str, Path]]:
    """The key of each cell's folder under ``runs`` that holds a record, and that record's path.

    A cell that was made under two labels comes twice.
    """
    for path in sorted(runs.glob(f"*/*/{FILE_NAME}")):
        yield path.parent.name.rpartition("-")[2], path


def load_all(runs: Path, *, skip_damaged: bool = False) -> dict[str, Record]:
    """Every record of ``runs/*/*/record.json`` by key.

    RecordError if one can't be used. With ``skip_damaged`` one that is damaged is left out, and one
    line on stderr says so; one of another version is still refused. A cell that was made twice,
    under two labels, counts once: as it was made first. Where the two have other numbers, one line
    says so as well.
    """
    records: dict[str, Record] = {}
    for _, path in record_files(runs):
        try:
            record = read(path)
        except SchemaError:
            raise
        except RecordError as error:
            if not skip_damaged:
                raise RecordError(f"{error}; {MEND}") from None
            log.warning("%s: left out; %s", error, MEND)
            continue
        known = records.setdefault(record.key, record)
        if known.metrics == record.metrics:
            continue
        first, other = sorted((known, record), key=lambda one: one.provenance.started)
        records[record.key] = first
        log.warning(
            "%s was made twice, with other numbers: %s counts, %s doesn't",
            first.key,
            folder_of(runs, first),
            folder_of(runs, other),
        )
    return records


def lineage(keys: Iterable[str], records: Mapping[str, Record]) -> list[Record]:
    """The records of ``keys`` and of all that they were made from, nearest first, each once.

    A key without a record is left out.
    """
    found: dict[str, Record] = {}
    queue = list(keys)
    for key in queue:
        if key in records and key not in found:
            found[key] = records[key]
            queue.extend(records[key].inputs.values())
    return list(found.values())


def computed_for(keys: Iterable[str], records: Mapping[str, Record]) -> list[Record]:
    """As `lineage`, without the classifiers that came ready, unless ``keys`` name them.

    How those were made is no matter of what was computed here.
    """
    own = dict.fromkeys(keys)
    found = lineage(own, records)
    return [one for one in found if one.key in own or one.kind != "pretrained"]


def read_artefact(record: Record, file: str, runs: Path) -> bytes:
    """The bytes of a file in the folder of a record's cell, as the record lists it.

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
    expected = record.artefacts.get(file, "")
    if expected and hashlib.sha256(data).hexdigest() != expected:
        raise RecordError(f"{path}: not the file its record names")
    return data


def read_struct(path: Path, struct: type[StructT], schema: int) -> StructT:
    """Decode a JSON file into ``struct``, schema first; RecordError says what is wrong."""
    what = struct.__name__.lower()
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise RecordError(f"{path}: missing") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        found = msgspec.json.decode(raw, type=_Header).schema
        if found != schema:
            age = "newer" if found > schema else "older"
            raise SchemaError(
                f"{path}: schema {found} is {age} than this program's {schema}; "
                f"read it with the version that wrote it, or make the {what} again"
            )
        return msgspec.json.decode(raw, type=struct)
    except msgspec.ValidationError as error:
        if _is_of_another_version(raw, struct, error):
            raise SchemaError(
                f"{path}: of another version of this program ({error}); "
                f"read it with the version that wrote it, or remove it and make the {what} again"
            ) from None
        raise RecordError(f"{path}: not a {what} of this project ({error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"{path}: truncated or not JSON ({error})") from None


def _is_of_another_version(
    raw: bytes, struct: type[msgspec.Struct], error: msgspec.ValidationError
) -> bool:
    """Whether nothing is wrong but a field more: versions may add some to one schema."""
    needed = {field.encode_name for field in msgspec.structs.fields(struct) if field.required}
    unknown = str(error).startswith("Object contains unknown field")
    return unknown and needed <= msgspec.json.decode(raw, type=dict[str, Any]).keys()


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``path`` so that a reader sees the old file or the whole new one, never a part.

    What a writer of the same file that was killed long ago left behind is removed.
    """
    # Not naturalinversion.files: reports import nothing of it, nor PyTorch with it. Not tempfile:
    # its files are private to the user, and runs folders are shared.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
            if _age(left) > ABANDONED:  # a younger one may be another command's, at this moment
                left.unlink(missing_ok=True)
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        raise RecordError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        draft.unlink(missing_ok=True)


def _age(path: Path) -> float:
    """Seconds since it was written to; 0 where it is gone by now."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0


def _numbers(tree: object, name: str = "") -> Iterator[tuple[str, float]]:
    """Every float in nested builtins with its dotted name."""
    if isinstance(tree, float):
        yield name, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, list | tuple):
        for index, value in enumerate(tree):
            yield from _numbers(value, f"{name}[{index}]")
