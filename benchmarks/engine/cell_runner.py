"""Run one cell: skip what is done, hold its lock, keep a log, write the record last."""

import logging
import os
import platform
import sys
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout
from tqdm import tqdm

from benchmarks.engine.artefacts import (
    DESCRIPTION,
    LOG,
    artefacts,
    artefacts_recorded,
    remove_damaged,
)
from benchmarks.engine.attempts import AttemptsWriter, read_attempts
from benchmarks.engine.cell import Cell, with_inputs
from benchmarks.engine.checkpoints import admit_checkpoints, delete_checkpoints
from benchmarks.engine.context import CellContext, DataOptions
from benchmarks.engine.digests import file_sha256
from benchmarks.engine.kinds import Kinds, Metrics, load_kind
from benchmarks.engine.machine import Machine, release_cached_memory, set_up_torch
from benchmarks.engine.provenance import CostMeter
from naturalinversion.classifiers.outside import admit, is_outside
from naturalinversion.errors import (
    BenchmarkError,
    MissingError,
    NaturalInversionError,
    UsageError,
)
from naturalinversion.files import DRAFTS, write_atomically
from naturalinversion.named_code import raised
from reports.records import FILE_NAME as RECORD
from reports.records import Record, RecordError, SchemaError, record_files
from reports.records import read as read_record
from reports.records import write as write_record

FAILURE = ".failed"  # what ended the last attempt, on one line
NETWORKS = ("arch", "student")  # keys of recipes that hold a network's name
KNOWN_ERRORS = (NaturalInversionError, RecordError)
ENDS_THE_RUN = (UsageError, MissingError)  # the whole request's, not one cell's

CellStatus = Literal["computed", "cached", "busy"]  # busy: another process is at work on it


class CellFailedError(BenchmarkError):
    """A cell could not be computed; the message is one line, and names the log of a traceback."""


def is_done(cell: Cell, runs: Path, *, verify: bool = True) -> bool:
    """Whether the cell's record is there and its artefacts are the files that it names.

    Without ``verify`` they are not read, only looked for: at scale paper they are many gigabytes.
    """
    return (cell.folder(runs) / RECORD).exists() and not find_damage(cell, runs, verify=verify)


def find_damage(cell: Cell, runs: Path, *, verify: bool = True) -> str:
    """What is wrong with a recorded cell, in a few words; empty for a whole or a missing one.

    ``verify`` is that of `is_done`. Raises `SchemaError` for the record of another version: it is
    neither used nor overwritten.
    """
    folder = cell.folder(runs)
    if not (folder / RECORD).exists():
        return ""
    try:
        record = read_record(folder / RECORD)
    except SchemaError:
        raise
    except RecordError as error:
        return str(error)
    if record.key != cell.key:
        return f"{folder / RECORD} is another cell's"
    for name, recorded in record.artefacts.items():
        if not (folder / name).is_file():
            return f"{folder / name} is missing"
        if verify and file_sha256(folder / name) != recorded:
            return f"{folder / name} is not the file its record names"
    return ""


def remove_leftovers(cell: Cell, runs: Path) -> None:
    """The state that a done cell went on from: its process was killed before it removed it."""
    with suppress(OSError):  # the folder may be read-only
        delete_checkpoints(cell.folder(runs))


def run_cell(
    cell: Cell, kinds: Kinds, runs: Path, machine: Machine, data: DataOptions
) -> CellStatus:
    """Compute ``cell``, whose inputs are done, unless its record is there already.

    A cell whose lock another process holds is ``busy``: it is not waited for. Raises
    `CellFailedError` in one line, or one of `ENDS_THE_RUN` with the cell's label in its line;
    whatever the cell had finished stays in its folder and is used by the next attempt.
    """
    folder = cell.folder(runs)
    try:
        folder = _own_folder(cell, runs)
        with FileLock(folder / ".lock", timeout=0):
            if is_done(cell, runs):
                return "cached"
            for draft in folder.rglob(DRAFTS):  # a killed run's
                draft.unlink(missing_ok=True)
            before = artefacts_recorded(folder)
            remove_damaged(folder, before)
            with _log(folder / LOG) as log:
                _compute(cell, kinds, folder, runs, machine, data, log)
                _warn_of_outdated(cell, before, runs, log)
    except Timeout:
        return "busy"
    except OSError as error:
        raise CellFailedError(f"{cell.label}: {folder}: {error.strerror or error}") from error
    return "computed"


def _own_folder(cell: Cell, runs: Path) -> Path:
    """The cell's folder, which is there then; one, even if others call it otherwise now."""
    folder = cell.folder(runs)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".folders.lock"):  # as long as it takes to make a folder
            folder = cell.folder(runs)
            folder.mkdir(exist_ok=True)
    return folder


def run_cell_from(
    folder: str, cell: Cell, kinds: Kinds, runs: Path, machine: Machine, data: DataOptions
) -> CellStatus:
    """`run_cell` in ``folder``, the command's working directory, where that is on this machine:
    somebody's own code lies there, and relative paths of image folders begin there.
    """
    if folder not in sys.path:
        sys.path.append(folder)
    with chdir(folder) if Path(folder).is_dir() else nullcontext():
        return run_cell(cell, kinds, runs, machine, data)


def _compute(
    cell: Cell,
    kinds: Kinds,
    folder: Path,
    runs: Path,
    machine: Machine,
    data: DataOptions,
    log: logging.Logger,
) -> None:
    try:
        set_up_torch(machine)
        module = load_kind(kinds, cell.kind)
        _admit_networks(cell)
        recipe = msgspec.convert(cell.recipe, module.Recipe)
        write_atomically(folder / DESCRIPTION, msgspec.json.format(_encoded(cell)))
        inputs = _folders(cell, runs)
        origins = {role: _folders(other, runs) for role, other in cell.inputs.items()}
        meter = CostMeter(machine, read_attempts(folder, cell.key))
        (folder / FAILURE).unlink(missing_ok=True)
        log.info("started by %s, process %d: %s", platform.node(), os.getpid(), machine)
        if not admit_checkpoints(folder, inputs):
            log.warning("its inputs' files are others by now: it begins again")
        with AttemptsWriter(folder, meter.attempts):
            metrics = module.run(
                CellContext(folder, inputs, machine, data, cell.label, log, origins), recipe
            )
            write_record(folder, _record(cell, folder, metrics, meter))
            delete_checkpoints(folder)
        log.info("finished: %s", metrics)
    except KNOWN_ERRORS as error:
        log.error("%s", error)
        if isinstance(error, ENDS_THE_RUN):
            _name_cell(error, cell)
            raise
        _remember(folder, str(error))
        raise CellFailedError(f"{cell.label}: {error}") from error
    except (Exception, SystemExit) as error:  # sys.exit() of somebody's method is no end of ours
        log.error("%s", traceback.format_exc())
        reason = raised(error)
        if isinstance(error, OSError) and error.strerror:  # no space left, input/output error
            reason = f"{error.filename or folder}: {error.strerror}"
        _remember(folder, reason)
        raise CellFailedError(f"{cell.label}: {reason} (traceback in {folder / LOG})") from error
    finally:
        release_cached_memory()


def _name_cell(error: NaturalInversionError, cell: Cell) -> None:
    """Begin the error's line with the label of the cell that met it."""
    if not str(error).startswith(f"{cell.label}: "):
        error.args = (f"{cell.label}: {error}",)


def _remember(folder: Path, reason: str) -> None:
    """What ended this attempt, for `cell_status`."""
    with suppress(OSError):  # the disk may be full
        write_atomically(folder / FAILURE, reason.encode())


def _folders(cell: Cell, runs: Path) -> dict[str, Path]:
    """Where the inputs of ``cell`` lie, by role."""
    return {role: other.folder(runs) for role, other in cell.inputs.items()}


def _admit_networks(cell: Cell) -> None:
    """Somebody's own networks that the recipes of the cell and its inputs name may be built."""
    recipes = [one.recipe for one in with_inputs([cell])]
    named = [recipe.get(key) for recipe in recipes for key in NETWORKS]
    for name in {name for name in named if isinstance(name, str) and is_outside(name)}:
        admit(name)


def _record(cell: Cell, folder: Path, metrics: Metrics, meter: CostMeter) -> Record:
    images = metrics.get("images", 0)
    assert isinstance(images, int)
    return Record(
        kind=cell.kind,
        label=folder.name.removesuffix(f"-{cell.key}"),  # readers find the folder by it
        key=cell.key,
        recipe=cell.recipe,
        inputs={role: other.key for role, other in cell.inputs.items()},
        metrics=metrics,
        cost=meter.cost(images),
        provenance=meter.provenance,
        artefacts=dict(artefacts(folder)),
        notes=meter.notes(),
        attempts=meter.attempts().attempts,
        machines=meter.attempts().machines if meter.earlier.attempts else [],
    )


def _warn_of_outdated(cell: Cell, before: dict[str, str], runs: Path, log: logging.Logger) -> None:
    """Name the cells that were made from the files of ``before``, if those are others now.

    They count as done, so only a person can have them made again.
    """
    folder = cell.folder(runs)
    if not before or before == artefacts_recorded(folder):
        return
    if outdated := [str(path) for path in _made_from(cell.key, runs)]:
        log.warning("made from files that were here before: %s", ", ".join(outdated))
        line = (
            f"warning: {cell.label} was made again and its files are others; remove the folders "
            f"of what was made from the old ones, {len(outdated)}, listed in {folder / LOG}"
        )
        tqdm.write(line, file=sys.stderr)


def _made_from(key: str, runs: Path) -> list[Path]:
    """The folders of finished cells that read the cell of ``key``, or what was made from it."""
    inputs: dict[Path, set[str]] = {}
    keys: dict[Path, str] = {}
    for _, path in record_files(runs):
        with suppress(RecordError):
            record = read_record(path)
            inputs[path.parent], keys[path.parent] = set(record.inputs.values()), record.key
    old, found = {key}, list[Path]()
    while more := [path for path in inputs if path not in found and inputs[path] & old]:
        found += more
        old |= {keys[path] for path in more}
    return found


def _encoded(cell: Cell) -> bytes:
    content = {
        "kind": cell.kind,
        "key": cell.key,
        "recipe": cell.recipe,
        "inputs": {role: other.key for role, other in cell.inputs.items()},
    }
    return msgspec.json.encode(content, order="sorted")


class _LogFile(logging.FileHandler):
    """A log that can't be written, on a full disk, is not what the user has to read about."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass


@contextmanager
def _log(path: Path) -> Iterator[logging.Logger]:
    """The harness's logger, writing to ``path`` while the cell is made; it prints nothing."""
    log = logging.getLogger("benchmarks")
    level, propagate = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield log
    finally:
        log.removeHandler(handler)
        handler.close()
        log.setLevel(level)
        log.propagate = propagate
