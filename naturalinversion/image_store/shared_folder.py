"""A folder of images while processes are at work in it: they share a lock on it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from naturalinversion.errors import StoreError
from naturalinversion.image_store.meta import META, Meta
from naturalinversion.image_store.same_run import claim

if sys.platform != "win32":
    import fcntl


@contextmanager
def claimed(folder: Path, meta: Meta, *, any_student: bool = False) -> Iterator[Meta]:
    """``folder`` is the run's of ``meta`` within the block; yields its meta.json, see `claim`.

    It is made where there is none. If the block fails and nothing was made, the last process at
    work in the folder gives it up: another run, of a mended method, may have it. One that was there
    before stays, empty. Where it can't be locked, on Windows, it stays the run's. Raises
    `StoreError` for what can't be a folder, and as `claim` does.
    """
    try:
        existed = folder.exists()
        lock = _entered(folder)
    except (OSError, ValueError) as error:  # a zero byte in the name is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"{folder} can't be a folder of images: {reason}") from error
    try:
        found = claim(folder, meta, any_student=any_student)
        try:
            yield found
        except BaseException:
            if _is_alone(lock) and [path.name for path in folder.glob("*")] == [META]:
                (folder / META).unlink()
                if not existed:
                    with suppress(OSError):  # somebody has put a file there since
                        folder.rmdir()
            raise
    finally:
        if lock is not None:
            os.close(lock)


def _entered(folder: Path) -> int | None:
    """A file descriptor that holds the shared lock on the folder; None where there are no locks."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        if sys.platform == "win32":
            return None
        with suppress(FileNotFoundError):  # another process has just given it up
            lock = os.open(folder, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_SH)
            if folder.exists() and os.path.samestat(os.fstat(lock), folder.stat()):
                return lock
            os.close(lock)


def _is_alone(lock: int | None) -> bool:
    """Whether no other process is at work in the folder, and none begins until it is closed."""
    if lock is None or sys.platform == "win32":
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
