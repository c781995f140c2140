"""The files of a cell that stay: those its record names, and what is beside them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.engine.digests import file_sha256
from reports.records import FILE_NAME as RECORD
from reports.records import RecordError
from reports.records import read as read_record

LOG = "log.txt"
DESCRIPTION = "recipe.json"  # holds paths, which don't count


def artefacts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file that stays, with its sha256; not the log, the lock, the record itself."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (LOG, RECORD) and not path.name.startswith("."):
            yield name, file_sha256(path)


def artefacts_recorded(folder: Path) -> dict[str, str]:
    """Those of the record that is there, without `DESCRIPTION`; empty where none can be read."""
    try:
        found = read_record(folder / RECORD).artefacts
    except RecordError:
        return {}
    return {name: digest for name, digest in found.items() if name != DESCRIPTION}


def remove_damaged(folder: Path, recorded: Mapping[str, str]) -> None:
    """Files that are not those recorded: the cell goes on from what is whole, not from them."""
    for name, digest in recorded.items():
        if (folder / name).is_file() and file_sha256(folder / name) != digest:
            (folder / name).unlink()
