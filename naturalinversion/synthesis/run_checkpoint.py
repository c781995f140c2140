"""A checkpoint beside the shards, from which its own run alone goes on."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import msgspec

from naturalinversion.checkpoint import Checkpoint
from naturalinversion.image_store.meta import Meta

log = logging.getLogger(__name__)


class RunCheckpoint:
    """The file ``path`` of the run of ``meta``: method, settings, teacher, student, seed and so on.

    A file of another run, or of an earlier version that did not say of which, is named in the log.
    """

    def __init__(self, path: Path, meta: Meta) -> None:
        self._checkpoint, self._run = Checkpoint(path), _identity(meta)

    def save(self, state: dict[str, Any], *, at_once: bool = False) -> None:
        """As `Checkpoint.save`."""
        self._checkpoint.save({"run": self._run, **state}, at_once=at_once)

    def restore(self) -> dict[str, Any] | None:
        """The last state of this run, or None."""
        saved = self._checkpoint.restore()
        if saved is None or saved.get("run") == self._run:
            return saved
        path = self._checkpoint.path
        log.warning("checkpoint %s is not of this run, which starts from the beginning", path)
        return None

    def delete(self) -> None:
        """Remove the file, if there is one; the folder may be read-only where there is none."""
        if self._checkpoint.path.exists():
            self._checkpoint.delete()


def _identity(meta: Meta) -> str:
    """sha256 of what makes it this run: not how many batches, nor logits, which are rounded, nor
    the library's version.
    """
    run = msgspec.to_builtins(msgspec.structs.replace(meta, batches=0, agreed=(), logits=None))
    del run["student_logits"], run["version"]
    if not run["student_frozen"]:
        del run["student_frozen"]  # which checkpoints of before don't know
    return hashlib.sha256(msgspec.json.encode(run, order="sorted")).hexdigest()
