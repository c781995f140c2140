"""The state of a long `prepare`, kept in the folder of images until all batches exist."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from naturalinversion.checkpoint import Checkpoint
from naturalinversion.errors import DivergedError
from naturalinversion.image_store.meta import Meta
from naturalinversion.synthesis.synthesizer import Training

STATE = "prepare.pt"  # in the folder of the shards


class PrepareState:
    """``training`` is what the caller gave, or else saves to the folder and restores from it.

    A state is restored for the run of ``meta`` alone: the same method, settings, teacher, student
    and seed.
    """

    def __init__(self, folder: Path, meta: Meta, given: Training | None) -> None:
        self._checkpoint = Checkpoint(folder / STATE)
        self._run, self._kept_here = _identity(meta), given is None
        self.training = given or Training(
            restore=self._restore, save=self._save, forget=self._checkpoint.delete
        )

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """`prepare` runs within. The state of a training that diverged would diverge again."""
        try:
            yield
        except DivergedError:
            self.training.forget()
            raise

    def forget(self) -> None:
        """Remove the state: all batches exist. One that the caller keeps is the caller's."""
        if self._kept_here and self._checkpoint.path.exists():  # the folder may be read-only
            self._checkpoint.delete()

    def _save(self, state: dict[str, Any]) -> None:
        self._checkpoint.save({"run": self._run, "state": state})

    def _restore(self) -> dict[str, Any] | None:
        saved = self._checkpoint.restore()
        if saved is None or saved["run"] != self._run:
            return None
        state: dict[str, Any] = saved["state"]
        return state


def _identity(meta: Meta) -> str:
    """sha256 of what makes it this run: not how many batches, nor logits, which are rounded."""
    run = msgspec.structs.replace(meta, batches=0, agreed=(), logits=None)
    return hashlib.sha256(msgspec.json.encode(run, order="sorted")).hexdigest()
