"""The state of an unfinished computation in one file: a sha256, then what `torch.save` wrote."""

import hashlib
import io
import logging
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from naturalinversion.files import write_atomically

log = logging.getLogger(__name__)

EVERY = 30.0  # seconds
_DIGEST = hashlib.sha256().digest_size


class Checkpoint:
    """The file ``path``; at least ``every`` seconds, or `EVERY`, lie between two writes.

    It is written whole or not at all, and read with ``weights_only=True``.
    """

    def __init__(self, path: Path, every: float | None = None) -> None:
        self.path, self._every = path, EVERY if every is None else every
        self._last = time.monotonic()

    def save(self, state: dict[str, Any], *, at_once: bool = False) -> None:
        """Write ``state`` (tensors and plain values), unless the last write was a moment ago."""
        if not at_once and time.monotonic() - self._last < self._every:
            return
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getbuffer()  # not a copy: a state may be large
        write_atomically(self.path, hashlib.sha256(content).digest(), content)
        self._last = time.monotonic()

    def restore(self) -> dict[str, Any] | None:
        """The last state, or None. A file that can't be used is named in the log, and is none."""
        try:
            with open(self.path, "rb", buffering=0) as file:  # a buffer is a copy
                digest, body = file.read(_DIGEST), file.read()
        except FileNotFoundError:
            return None
        if hashlib.sha256(body).digest() != digest:
            log.warning("checkpoint %s is damaged: what it was written for starts again", self.path)
            return None
        try:
            state: dict[str, Any] = torch.load(
                io.BytesIO(body), map_location="cpu", weights_only=True
            )
        except pickle.UnpicklingError:
            log.warning(
                "checkpoint %s holds more than tensors and plain values: what it was written for "
                "starts again",
                self.path,
            )
            return None
        return state

    def delete(self) -> None:
        """Remove the file: what it was written for is done."""
        self.path.unlink(missing_ok=True)
