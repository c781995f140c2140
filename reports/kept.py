"""Results that are kept in the repository: records and the small files that reports are drawn from.

``<folder>/runs/`` is a runs folder without weights and images: ``<folder>/report/`` and
``docs/results.md`` are made from it as from any other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reports.records import FILE_NAME, Record, RecordError, folder_of, load_all
from reports.tables.layout import View, read

RUNS, REPORT = "runs", "report"
LARGEST = 2_000_000  # bytes of a file that may be kept


def keep(runs: Path, to: Path) -> list[Path]:
    """Copy every view of ``runs`` with its records, theirs, and what figures show to ``to``/runs.

    What was kept there before is replaced. Returns the files written. RecordError when there is no
    view, when a view's record is missing, or when a file is too large to be kept.
    """
    views = sorted((runs / "views").glob("*.json"))
    if not views:
        raise RecordError(f"{runs / 'views'}: no view to keep; run a table first")
    records = load_all(runs)
    files: dict[Path, Path] = {path: to / RUNS / "views" / path.name for path in views}
    for path in views:
        view = read(path)
        for key in _closure(view, records, path):
            folder = folder_of(runs, records[key])
            files[folder / FILE_NAME] = folder_of(to / RUNS, records[key]) / FILE_NAME
        for key, name in _shown(view):
            if key in records:
                source = folder_of(runs, records[key]) / name
                files[source] = folder_of(to / RUNS, records[key]) / name
    for source in files:
        if (size := source.stat().st_size) > LARGEST:
            raise RecordError(f"{source}: {size:,} bytes are too many to be kept")
    if to.exists():
        shutil.rmtree(to)
    for source, target in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return list(files.values())


def _closure(view: View, records: Mapping[str, Record], path: Path) -> set[str]:
    """The keys of a view's records and of all that they were made from."""
    waiting = [key for row in view.rows for cell in row.cells.values() for key in cell.records]
    found: set[str] = set()
    while waiting:
        key = waiting.pop()
        if not key or key in found:
            continue
        if key not in records:
            raise RecordError(f"{path}: cell {key} has no record; run the table to its end first")
        found.add(key)
        waiting.extend(records[key].inputs.values())
    return found


def _shown(view: View) -> Iterator[tuple[str, str]]:
    """Record and file of every picture and of whatever a figure is drawn from."""
    for picture in view.pictures:
        yield picture.record, picture.file
    yield from _references(msgspec.to_builtins(view.figures), "")


def _references(tree: Any, file: str) -> Iterator[tuple[str, str]]:
    """``record`` and ``file`` of nested builtins; a file holds for the records below it."""
    if isinstance(tree, Mapping):
        file = str(tree.get("file") or file)
        if file and isinstance(tree.get("record"), str):
            yield tree["record"], file
        for value in tree.values():
            yield from _references(value, file)
    elif isinstance(tree, list):
        for value in tree:
            yield from _references(value, file)
