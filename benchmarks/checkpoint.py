"""The state of a long step, saved now and then: whole or not at all, never unpickled blindly."""

import io
import logging
import time
from pathlib import Path
from typing import Any

import torch

from naturalinversion.images import write_atomically


class Checkpoint:
    """One file that holds the last saved state; ``every`` is the least time between two writes."""

    def __init__(self, path: Path, log: logging.Logger, every: float = 30.0) -> None:
        self.path, self.log, self.every = path, log, every
        self._last = time.monotonic()

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state`` unless the last write was a moment ago."""
        if time.monotonic() - self._last < self.every:
            return
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.path, buffer.getvalue())
        self._last = time.monotonic()

    def restore(self) -> dict[str, Any] | None:
        """The last state, or None; a damaged file is reported and counts as none."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            self.log.warning("%s is damaged (%s): starting again", self.path.name, error)
            return None
        assert isinstance(state, dict)
        return state

    def delete(self) -> None:
        """Forget the state: the step is done."""
        self.path.unlink(missing_ok=True)
