"""What identifies an ImageFolder tree: the bytes of its images, wherever it lies.

Every file is read once; the digest is then kept beside the decoded images (`cache`) and used as
long as no file has another path, size or time of change.
"""

import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.datasets.cache import cache_folder
from benchmarks.datasets.image_folder import ImageFolder
from naturalinversion.errors import UsageError
from naturalinversion.files import write_atomically
from naturalinversion.progress import bar

log = logging.getLogger(__name__)

_DIGITS = 64


def content_sha256(found: ImageFolder) -> str:
    """sha256 over every image's path within the tree and its bytes, in order.

    Raises `UsageError` for a file that can't be read.
    """
    owner = hashlib.sha256(os.fsencode(found.folder)).hexdigest()[:24]
    path = cache_folder() / f"{owner}.sha256"
    try:
        stamp, digest = path.read_text().split()
    except (OSError, ValueError):
        stamp = digest = ""
    if stamp != found.stamp or len(digest) != _DIGITS:
        digest = _read_all(found)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, f"{found.stamp} {digest}\n".encode())
        except OSError as error:
            log.info("the digest of %s is not kept in %s: %s", found.folder, path.parent, error)
    return digest


def _read_all(found: ImageFolder) -> str:
    paths = [path for files in found.files.values() for path, _ in files]
    digest = hashlib.sha256()
    with (
        bar(len(paths), f"reading {found.folder.name}", "img") as advance,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
    ):
        for path, of_file in zip(paths, pool.map(_sha256, paths), strict=True):
            inside = Path(path).relative_to(found.folder).as_posix()
            digest.update(os.fsencode(inside) + b"\0" + of_file)
            advance(1)
    return digest.hexdigest()


def _sha256(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
