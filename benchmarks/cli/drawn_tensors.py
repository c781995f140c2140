"""Which weights of a network its seed draws: a student starts from random ones, a teacher not."""

from dataclasses import dataclass

import torch
from torch import Tensor

from naturalinversion.classifiers.outside import build_outside, plain_name
from naturalinversion.errors import UsageError
from naturalinversion.seeds import seeded


@dataclass(frozen=True)
class Drawn:
    """Which tensors of a network are ``drawn`` at random, and which others are ``fixed`` and hold
    more than one value; with how many values each.
    """

    drawn: list[str]
    fixed: list[str]
    drawn_count: int
    fixed_count: int


def drawn_tensors(name: str, num_classes: int) -> Drawn:
    """What of the network ``name`` its seed decides.

    The network is made three times, twice from one seed: what differs with the seed is drawn, what
    does not was loaded or computed. Raises `UsageError` when a seed does not decide its weights.
    """
    made = []
    for seed in (0, 0, 1):
        with seeded(seed):
            state = build_outside(name, num_classes).state_dict()
        made.append({key: value for key, value in state.items() if isinstance(value, Tensor)})
    first, again, other = made
    if unlike := [key for key in first if not _same(first[key], again.get(key))]:
        raise UsageError(
            f"{plain_name(name)}: '{unlike[0]}' comes out otherwise from the same seed: draw from "
            "PyTorch's random state alone"
        )
    drawn = [key for key in first if not _same(first[key], other.get(key))]
    fixed = [key for key in first if key not in drawn and _varies(first[key])]
    counts = [sum(first[key].numel() for key in keys) for keys in (drawn, fixed)]
    return Drawn(drawn, fixed, *counts)


def _varies(tensor: Tensor) -> bool:
    return tensor.numel() > 1 and bool((tensor != tensor.flatten()[0]).any())


def _same(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and one.shape == other.shape and torch.equal(one, other)
