"""Where images come from, as the optimisation loop sees it."""

from typing import Protocol

import torch
from torch import Tensor

from naturalinversion.inversion.jitter import ImageTransform


class ImageSource(Protocol):
    """Free pixels, or a generator with its pyramid."""

    @property
    def capturable(self) -> bool:
        """Whether every rendering in training does the same on the same tensors.

        Then a GPU can capture a step and repeat it, for other batches too: the source is copied,
        and the copy's tensors are filled with another's. Not so when something new is drawn on
        the host.
        """

    def leaves(self) -> list[Tensor]:
        """The tensors that are optimised."""

    def tensors(self) -> list[Tensor]:
        """The leaves and all else that is this batch's own: buffers, latents, one-hot labels."""

    def optimizer(self) -> torch.optim.Optimizer:
        """A fresh optimiser over the leaves; on a GPU one that can be captured.

        Its state begins with zeros, as that of Adam and SGD does.
        """

    def render(self, by: ImageTransform | None) -> Tensor:
        """Images (N, 3, H, W) in teacher space; ``by`` shifts inside the source, None does not."""
