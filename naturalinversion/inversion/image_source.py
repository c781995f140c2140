"""The interface between the optimisation loop and what it optimises."""

from typing import Protocol

import torch
from torch import Tensor

from naturalinversion.inversion.jitter import ImageTransform


class ImageSource(Protocol):
    """Images as a function of optimised tensors: free pixels, or a generator with its pyramid."""

    @property
    def capturable(self) -> bool:
        """Whether `render` does the same operations on the same tensors in every iteration.

        Then a step can be captured as a CUDA graph and replayed, for other batches too: the source
        is copied, and the values of another are copied into its tensors. False when `render` draws
        on the host.
        """

    @property
    def draws(self) -> torch.Generator | None:
        """What `redraw` is given before every iteration; None: nothing is drawn."""

    def redraw(self, draws: torch.Generator) -> None:
        """Draw new inputs of `render` on the host, into the same tensors of the device."""

    def leaves(self) -> list[Tensor]:
        """The tensors that are optimised."""

    def tensors(self) -> list[Tensor]:
        """All tensors of this batch: the leaves, buffers, latents, one-hot labels."""

    def optimizer(self) -> torch.optim.Optimizer:
        """A new optimiser over the leaves, capturable on a GPU.

        Its initial state must be zeros, as that of Adam and SGD is.
        """

    def render(self, transform: ImageTransform | None) -> Tensor:
        """Images (N, C, H, W) in teacher space, with ``transform`` applied inside the source."""
