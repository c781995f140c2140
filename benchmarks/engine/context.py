"""What a cell gets to work with: its folder, its inputs' folders, the machine and the data root."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from naturalinversion.errors import UsageError
from naturalinversion.precision import Precision


@dataclass(frozen=True)
class Machine:
    """Where and how to compute; part of a record's provenance, not of a cell's key.

    ``fast`` lets a GPU's libraries choose their algorithms by timing them.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    threads: int = 1
    fast: bool = False

    def torch_device(self) -> torch.device:
        """The device, checked. Raises `UsageError` when it is not there."""
        try:
            device = torch.device(self.device)
        except RuntimeError as error:
            raise UsageError(f"--device {self.device}: {str(error).splitlines()[0]}") from error
        if device.type == "cuda" and not torch.cuda.is_available():
            raise UsageError(f"--device {self.device}: no CUDA device on this machine")
        if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
            raise UsageError(f"--device {self.device}: this machine's last is cuda:{count - 1}")
        return device

    def is_deterministic(self) -> bool:
        """Whether the same command gives the same bytes again here, as far as PyTorch promises."""
        return not (self.fast and self.torch_device().type == "cuda")


@dataclass(frozen=True)
class DataSource:
    """Where real data lies, and whether fetching it was asked for.

    ``inception_weights`` is the file of the network that images are compared through, ``weights``
    are files of classifiers that are not to be trained, by architecture.
    """

    root: Path = field(default_factory=lambda: default_root())
    download: bool = False
    inception_weights: Path | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """One cell at work. ``inputs`` maps a role to the folder of a finished cell."""

    folder: Path
    inputs: dict[str, Path]
    machine: Machine
    data: DataSource
    title: str
    log: logging.Logger


def default_root() -> Path:
    """``$NATURALINVERSION_DATA``, else ``./data``."""
    return Path(os.environ.get("NATURALINVERSION_DATA", "data"))
