"""The file of Inception's weights as the FID was defined with (TensorFlow's of 2015, ported)."""

import re
import urllib.error
from pathlib import Path

import torch

from naturalinversion.errors import MissingError


def inception_weights(given: Path | None, download: bool) -> Path:
    """``given``, else the file where torch-fidelity keeps it, fetched only if ``download``.

    Raises `MissingError` when there is none.
    """
    if given is not None:
        if not given.is_file():
            raise MissingError(f"--inception-weights {given}: no such file")
        return given
    from benchmarks.evaluation.fidelity.torch_fidelity_api import (
        INCEPTION_URL,  # takes seconds to import
    )

    name = INCEPTION_URL.rsplit("/", 1)[1]
    kept = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not kept.is_file():
        if not download:
            raise MissingError(
                f"inception-v3-compat needs {name}, which is not in {kept.parent}: "
                "give --inception-weights PATH or --download"
            )
        _fetch(INCEPTION_URL, kept)
    return kept


def named_hash(path: Path) -> str:
    """The beginning of the sha256 that torch hub puts into a file's name, or nothing."""
    found = re.search(r"-([0-9a-f]{8,64})$", path.stem)
    return found[1] if found else ""


def _fetch(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), named_hash(path), progress=False)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise MissingError(f"{url} can't be fetched: {error}") from error
