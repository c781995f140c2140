"""The linear layer that returns a network's logits: what it reads is the embedding."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from naturalinversion.seeds import seeded
from naturalinversion.teacher.operations import LAYER


@dataclass(frozen=True)
class Head:
    """The layer, and which of its calls within a pass it is, from 0."""

    module: nn.Linear
    call: int


def find_head(model: nn.Module, images: Tensor) -> Head | None:
    """The linear layer behind the output of the pass of ``images`` (N, C, H, W).

    Its output may be normalised, averaged with another's or made log-probabilities, but no other
    layer may come after it. Of several, as with adapters, it is that of the widest input, and the
    last of these. None where there is none, as with a convolution in its place.
    """
    found: list[tuple[Head, Tensor, object]] = []
    counts: Counter[nn.Module] = Counter()

    def keep(module: nn.Linear, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor):
            found.append((Head(module, counts[module]), output, output.grad_fn))
        counts[module] += 1

    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    with ExitStack() as hooks, seeded(0):
        for module in linears:
            hooks.enter_context(module.register_forward_hook(keep))
        logits: Tensor = model(images.clone().requires_grad_().clone())
    nodes = set(_after_the_last_layers(logits))
    heads = [head for head, output, node in found if output.shape == logits.shape and node in nodes]
    return max(reversed(heads), key=lambda head: head.module.in_features, default=None)


def _after_the_last_layers(logits: Tensor) -> Iterator[Any]:
    """The nodes of autograd's graph from ``logits`` back to the first layers with weights.

    Factors that are computed are left out: gates are no logits, nor are norms to divide by.
    """
    waiting: list[Any] = [logits.grad_fn]
    seen: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        name, before = node.name(), [one for one, _ in node.next_functions if one is not None]
        if LAYER.match(name) or (name.startswith("Mul") and len(before) > 1):
            continue
        waiting += before[:1] if name.startswith("Div") else before
