"""The linear layer that returns a network's logits: what it reads is the embedding."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.seeds import seeded
from naturalinversion.teacher.operations import last_operations


@dataclass(frozen=True)
class Head:
    """The layer, and which of its calls within a pass it is, from 0."""

    module: nn.Module
    call: int


def find_head(model: nn.Module, images: Tensor) -> Head | None:
    """The last linear layer whose output is that of the pass of ``images`` (N, C, H, W).

    Its output may be reshaped, scaled by constants or made log-probabilities. None where there is
    none, as with a convolution in its place.
    """
    found: list[tuple[Head, Tensor, object]] = []
    counts: Counter[nn.Module] = Counter()

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            found.append((Head(module, counts[module]), output, output.grad_fn))
        counts[module] += 1

    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    handles = [module.register_forward_hook(keep) for module in linears]
    try:
        with seeded(0):
            logits: Tensor = model(images.clone().requires_grad_().clone())
    finally:
        for handle in handles:
            handle.remove()
    last = [*last_operations(logits, also="LogSoftmax")]
    for head, output, node in reversed(found):
        same = output.shape == logits.shape
        if same and (any(node is each for each in last) or torch.equal(output, logits)):
            return head
    return None
