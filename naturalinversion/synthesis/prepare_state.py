"""The state of a long `prepare`, kept in the folder of images until all batches exist."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from naturalinversion.errors import DivergedError
from naturalinversion.image_store.meta import Meta
from naturalinversion.synthesis.run_checkpoint import RunCheckpoint
from naturalinversion.synthesis.synthesizer import Training

STATE = "prepare.pt"  # in the folder of the shards


class PrepareState:
    """``training`` is what the caller gave, or else saves to the folder and restores from it.

    A state is restored for the run of ``meta`` alone: the same method, settings, teacher, student
    and seed.
    """

    def __init__(self, folder: Path, meta: Meta, given: Training | None) -> None:
        self._checkpoint, self._kept_here = RunCheckpoint(folder / STATE, meta), given is None
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
        if self._kept_here:
            self._checkpoint.delete()

    def _save(self, state: dict[str, Any]) -> None:
        self._checkpoint.save({"state": state})

    def _restore(self) -> dict[str, Any] | None:
        saved = self._checkpoint.restore()
        return None if saved is None else saved["state"]
