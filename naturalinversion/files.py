"""Writing files so that a reader sees the old content or all of the new one."""

import os
import secrets
from pathlib import Path

DRAFTS = ".*.tmp"  # what a killed writer may leave behind


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` into ``path``, or leave what was there; raises `OSError` when it can't."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(draft, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
