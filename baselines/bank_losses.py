"""Loss terms over the steps of CMI and Fast-DFKD: where they were lowest, and where not finite."""

import torch
from torch import Tensor

from naturalinversion.errors import DivergedError

Terms = dict[str, Tensor]  # without their weights, but for "total"


class LowestLoss:
    """The tensors of the step with the lowest loss, chosen without reading it back."""

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self.tensors: list[Tensor] = []

    def offer(self, total: Tensor, tensors: list[Tensor]) -> None:
        """Keep copies of ``tensors`` if ``total`` is lower than all before; NaN never is."""
        total, tensors = total.detach(), [tensor.detach() for tensor in tensors]
        if self._total is None:
            self._total, self.tensors = total.clone(), [tensor.clone() for tensor in tensors]
            return
        better = total < self._total
        self._total = torch.where(better, total, self._total)
        pairs = zip(tensors, self.tensors, strict=True)
        self.tensors = [torch.where(better, new, kept) for new, kept in pairs]


def check_finite(name: str, history: Tensor) -> None:
    """Raises `DivergedError` for the first value of a term (E,) that is not finite."""
    if not history.isfinite().all():
        step = int((~history.isfinite()).nonzero()[0])
        raise DivergedError(f"{name} became {history[step].item()} at step {step}")
