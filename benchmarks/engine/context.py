"""What a cell is computed from: its folder, its inputs' folders, the machine and the real data."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine.machine import Machine


def default_root() -> Path:
    """``$NATURALINVERSION_DATA``, else ``./data``."""
    return Path(os.environ.get("NATURALINVERSION_DATA", "data"))


@dataclass(frozen=True)
class DataOptions:
    """Where real data lies, and whether fetching it was asked for.

    ``inception_weights`` is the file of the network that images are compared through, ``weights``
    are files of classifiers that are not to be trained, by architecture.
    """

    root: Path = field(default_factory=default_root)
    download: bool = False
    inception_weights: Path | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class CellContext:
    """One cell being computed. ``inputs`` maps a role to the folder of a finished cell, and
    ``origins`` to the folders that this cell was made from, by their roles there.
    """

    folder: Path
    inputs: dict[str, Path]
    machine: Machine
    data: DataOptions
    label: str
    log: logging.Logger
    origins: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
