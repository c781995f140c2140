"""Atomic writes: a reader finds the old content or all of the new one."""

import os
import secrets
from pathlib import Path

DRAFTS = ".*.tmp"  # files that a killed writer may leave behind


def write_atomically(path: Path, *content: bytes | memoryview) -> None:
    """Replace ``path`` by the parts of ``content``; raises `OSError`, and leaves ``path``, if that
    fails.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(draft, "xb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
