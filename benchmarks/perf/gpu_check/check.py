"""What a check is: a function that returns what it measured, each figure with its bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def cuda_missing(device: torch.device) -> str:
    """What a check `needs` that has no sense without a GPU."""
    return "" if device.type == "cuda" else "CUDA"


@dataclass(frozen=True)
class Measured:
    """One figure of a check; NaN is above every bound."""

    what: str
    value: float
    at_most: float

    @property
    def passed(self) -> bool:
        return self.value <= self.at_most

    def __str__(self) -> str:
        return f"{self.what} {self.value:.3g} (at most {self.at_most:g})"


@dataclass(frozen=True)
class Check:
    """``run`` raises or returns figures: one above its bound fails the check.

    ``needs`` names what is not there, CUDA or a package: such a check is not run, and counts as
    neither passed nor failed.
    """

    name: str
    run: Callable[[], Sequence[Measured]]
    needs: str = ""


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest absolute value expected."""
    one, other = found.detach().cpu().double(), expected.detach().cpu().double()
    if one.shape != other.shape:
        raise ValueError(f"shape {tuple(one.shape)}, expected {tuple(other.shape)}")
    difference = (one - other).abs().max()
    return float(difference / other.abs().max()) if difference else 0.0


def differing(one: Tensor, other: Tensor) -> int:
    """How many bytes differ."""
    if one.shape != other.shape or one.dtype != other.dtype:
        raise ValueError(f"{one.dtype} {tuple(one.shape)}, then {other.dtype} {tuple(other.shape)}")
    first, second = (
        t.detach().cpu().contiguous().reshape(-1).view(torch.uint8) for t in (one, other)
    )
    return int((first != second).sum())
