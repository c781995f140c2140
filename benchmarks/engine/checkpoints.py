"""Checkpoints of a cell: what interrupted work goes on from, until the cell's record is written."""

from pathlib import Path

from naturalinversion.image_store.meta import IMAGES
from naturalinversion.synthesis.sequence import forget_state

TRAINING = ".training.pt"  # hidden files are no artefacts
PREPARE = ".prepare.pt"


def delete_checkpoints(folder: Path) -> None:
    """Remove those of the cell in ``folder``: its record is there, nothing goes on from them."""
    for name in (TRAINING, PREPARE):
        (folder / name).unlink(missing_ok=True)
    forget_state(folder / IMAGES)
