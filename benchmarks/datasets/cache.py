"""Decoded image trees, kept so that 60,000 small files are opened once and not at every run.

One safetensors file per tree under ``$XDG_CACHE_HOME/naturalinversion`` (``~/.cache`` by default),
never in the data folder. It is used only when it was made from the same files (path, size, time of
change of each) and its pixels still have the checksum they were written with. A folder that can't
be written, or a file that can't be read, costs the time and nothing else.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from benchmarks.datasets.dataset import Split, fingerprint

log = logging.getLogger(__name__)

Splits = tuple[Split, Split]


def cached(owner: str, stamp: str, build: Callable[[], Splits]) -> Splits:
    """What ``build`` gives, from the cache where ``owner`` was stored there with ``stamp``."""
    path = cache_folder() / f"{hashlib.sha256(os.fsencode(owner)).hexdigest()[:24]}.safetensors"
    splits = _read(path, stamp)
    if splits is None:
        splits = build()
        _write(path, stamp, splits)
    return splits


def cache_folder() -> Path:
    """Where they are kept."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "naturalinversion"


def _read(path: Path, stamp: str) -> Splits | None:
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("stamp") != stamp:
                return None
            train, test = (
                Split(file.get_tensor(f"{split}.images"), file.get_tensor(f"{split}.labels"))
                for split in ("train", "test")
            )
    except (OSError, SafetensorError) as error:
        log.debug("no cached images in %s: %s", path, error)
        return None
    if fingerprint(train, test) != about.get("fingerprint"):
        log.warning("the cached images in %s are damaged and are read again", path)
        return None
    return train, test


def _write(path: Path, stamp: str, splits: Splits) -> None:
    train, test = splits
    # One fixed name: a killed run leaves at most one such file, which the next one overwrites.
    # Two runs that write it at once can spoil it, and the checksum then says so.
    unfinished = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {
                "train.images": train.images,
                "train.labels": train.labels,
                "test.images": test.images,
                "test.labels": test.labels,
            },
            unfinished,
            metadata={"stamp": stamp, "fingerprint": fingerprint(train, test)},
        )
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:
        log.info("decoded images are not cached in %s: %s", path.parent, error)
        try:
            unfinished.unlink(missing_ok=True)
        except OSError:
            log.debug("%s could not be removed", unfinished)
