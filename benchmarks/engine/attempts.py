"""What earlier attempts at a cell cost: a record states the cost of all attempts together.

While a cell is computed its cost so far is written every few seconds: a killed one loses no
more than that. It stays beside the record: images whose record is lost are not made again, and
would seem to have cost nothing.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from naturalinversion.files import write_atomically
from reports.machine import machines_named
from reports.records import FILE_NAME as RECORD
from reports.records import Cost, RecordError
from reports.records import read as read_record

FILE = ".spent.json"
WRITE_SECONDS = 10.0  # between two writes


class Attempts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cost of all ``attempts`` at a cell together, the machines that they ran on, by name, and the
    commits of their code.
    """

    cost: Cost
    attempts: int
    machines: list[str]
    commits: list[str] = []


NO_ATTEMPTS = Attempts(Cost(0.0, 0.0, 0, 0.0), 0, [])


def read_attempts(folder: Path, key: str) -> Attempts:
    """What attempts left in the cell's ``folder``, or its record if that holds more.

    A cell is computed again when its record is lost or its files are damaged, and goes on from what
    is whole. What lies there with another cell's record counts as that one's, until the record of
    this one replaces it.
    """
    try:
        found = msgspec.json.decode((folder / FILE).read_bytes(), type=Attempts)
    except (OSError, msgspec.DecodeError):
        found = NO_ATTEMPTS
    try:
        record = read_record(folder / RECORD)
    except RecordError:
        return found
    if record.key != key:
        return NO_ATTEMPTS
    if record.cost.seconds < found.cost.seconds:
        return found
    commits = [record.provenance.commit]
    return Attempts(record.cost, record.attempts, machines_named(record), commits)


class AttemptsWriter:
    """Writes a cell's cost to its folder while the block runs, and at its end."""

    def __init__(
        self, folder: Path, attempts: Callable[[], Attempts], every: float = WRITE_SECONDS
    ) -> None:
        self._path, self._attempts, self._every = folder / FILE, attempts, every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "AttemptsWriter":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self._write()

    def _watch(self) -> None:
        while not self._done.wait(self._every):
            self._write()

    def _write(self) -> None:
        try:
            write_atomically(self._path, msgspec.json.encode(self._attempts()))
        except OSError:  # a full disk is what the cell itself will have to say
            return
