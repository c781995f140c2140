"""One update of a network: on a GPU captured once in a run, and replayed for every full batch.

A narrow network's update is hundreds of kernels that take less time than their launches.
"""

import torch
from torch import Tensor, nn

from benchmarks.training.losses import Loss
from naturalinversion.inversion.cuda_graph import CapturedStep, supports_capture
from naturalinversion.inversion.foreign_networks import try_capture
from naturalinversion.inversion.optimizers import state_of
from naturalinversion.precision import Precision, compute_in

CAPTURE_FROM = 50  # updates of a run: for fewer a capture, which takes several, does not pay


class Update:
    """Forward pass, loss, backward pass and SGD step on a batch; `close` it after the run.

    A batch of ``batch_size`` images is replayed if ``captured``, all others are computed eagerly on
    the same optimiser state. A network or loss that can't be captured is trained eagerly, with a
    `NaturalInversionWarning`. Weights are loaded before the first call, learning rates set in place
    (`set_rate`).
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        precision: Precision,
        batch_size: int,
        *,
        captured: bool,
    ) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.precision, self.batch_size = precision, batch_size
        self._captured = captured
        self._batch: tuple[Tensor, Tensor] | None = None  # what the captured step reads
        self._replayed: CapturedStep[Tensor] | None = None

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """The loss () of images (N, C, H, W) and labels (N,); the next call may overwrite it."""
        full = len(labels) == self.batch_size
        if not (self._captured and full and supports_capture(images.device)):
            return self._step(images, labels)
        if self._batch is None:
            self._batch = torch.empty_like(images), torch.empty_like(labels)
        for place, given in zip(self._batch, (images, labels), strict=True):
            place.copy_(given)
        if self._replayed is None and not self._capture(*self._batch):
            return self._step(images, labels)
        assert self._replayed is not None
        return self._replayed()

    def close(self) -> None:
        """Free the captured step and its memory, which the gradients lie in."""
        if self._batch is not None:
            self._batch = self._replayed = None
            self.optimizer.zero_grad(set_to_none=True)

    def _capture(self, images: Tensor, labels: Tensor) -> bool:
        """Whether it could be captured."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        self._replayed = try_capture(
            lambda: self._step(images, labels),
            images.device,
            lambda: [*tensors, *state_of(self.optimizer)],
            [self.model],
            "training",
            trust_own=False,  # nor is the loss
        )
        if self._replayed is None:
            self.close()
            self._captured = False
        return self._captured

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        with compute_in(images.device, self.precision):
            value = self.loss(self.model, images, labels)
            self.optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value.detach()
