"""Checkpoints of a cell: what interrupted work goes on from, until the cell's record is written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.engine.artefacts import artefacts_recorded
from naturalinversion.files import write_atomically
from naturalinversion.image_store.meta import IMAGES
from naturalinversion.synthesis.sequence import forget_state

TRAINING = ".training.pt"  # hidden files are no artefacts
PREPARE = ".prepare.pt"
INPUTS = ".inputs"  # sha256 of what the files of the inputs were


def admit_checkpoints(folder: Path, inputs: Mapping[str, Path]) -> bool:
    """Whether the cell in ``folder`` may go on from its checkpoints, which are removed if not.

    A damaged input is made again, and on another CPU its files are others: half of a training on
    the old ones is no beginning of one on the new ones.
    """
    files = {role: artefacts_recorded(path) for role, path in inputs.items()}
    found = hashlib.sha256(msgspec.json.encode(files, order="sorted")).hexdigest().encode()
    kept = folder / INPUTS
    same = not kept.exists() or kept.read_bytes() == found
    if not same:
        delete_checkpoints(folder)
    write_atomically(kept, found)
    return same


def delete_checkpoints(folder: Path) -> None:
    """Remove those of the cell in ``folder``: nothing goes on from them any more."""
    for name in (TRAINING, PREPARE, INPUTS):
        (folder / name).unlink(missing_ok=True)
    forget_state(folder / IMAGES)
