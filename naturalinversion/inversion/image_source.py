"""Where images come from, as the optimisation loop sees it."""

from typing import Protocol

import torch
from torch import Tensor

from naturalinversion.inversion.jitter import Move


class ImageSource(Protocol):
    """Free pixels, or a generator with its pyramid."""

    @property
    def repeats(self) -> bool:
        """Whether every rendering in training does the same on the same tensors.

        Then a GPU can be told once and repeat it; not so when something new is drawn on the host.
        """

    def leaves(self) -> list[Tensor]:
        """The tensors that are optimised."""

    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh optimiser over the leaves; on a GPU one that can be captured."""

    def render(self, by: Move | None) -> Tensor:
        """Images (N, 3, H, W) in teacher space; ``by`` shifts inside the source, None does not."""
