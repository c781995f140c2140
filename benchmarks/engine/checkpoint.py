"""The state of a long step in one file: a sha256, then what `torch.save` wrote.

It is written whole or not at all, read with ``weights_only=True``, and a file that is damaged or
belongs to another run is named in the log and counts as none.
"""

import hashlib
import io
import logging
import time
from pathlib import Path
from typing import Any

import torch

from naturalinversion.files import write_atomically

log = logging.getLogger(__name__)

_DIGEST = hashlib.sha256().digest_size


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Put ``state`` (tensors and plain values) into ``path``."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_atomically(path, hashlib.sha256(content).digest() + content)


def read_state(path: Path) -> dict[str, Any] | None:
    """What `write_state` wrote, or None when there is nothing that can be used."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body = content[_DIGEST:]
    if hashlib.sha256(body).digest() != content[:_DIGEST]:
        log.warning("checkpoint %s is damaged: its step starts again", path)
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    return state


class Checkpoint:
    """The file of one step; at least ``every`` seconds lie between two writes."""

    def __init__(self, path: Path, every: float = 30.0) -> None:
        self._path, self._every = path, every
        self._last = time.monotonic()

    def save(self, state: dict[str, Any]) -> None:
        """Write ``state``, unless the last write was a moment ago."""
        if time.monotonic() - self._last >= self._every:
            write_state(self._path, state)
            self._last = time.monotonic()

    def restore(self) -> dict[str, Any] | None:
        """The last state, or None."""
        return read_state(self._path)

    def delete(self) -> None:
        """Forget the state: the step is done."""
        self._path.unlink(missing_ok=True)
