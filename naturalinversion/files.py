"""Atomic writes: a reader finds the old content or all of the new one."""

import os
import secrets
from pathlib import Path

DRAFTS = ".*.tmp"  # files that a killed writer may leave behind


def write_atomically(path: Path, *content: bytes | memoryview, new: bool = False) -> None:
    """Replace ``path`` by the parts of ``content``; raises `OSError`, and leaves ``path``, if that
    fails. A ``new`` one replaces nothing: raises `FileExistsError` where there is a file.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(draft, "xb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _link(draft, path)
        else:
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except OSError:  # also of file systems without links
        if path.exists():
            raise FileExistsError(path) from None
        os.replace(draft, path)
