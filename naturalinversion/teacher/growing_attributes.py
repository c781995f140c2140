"""Attributes in which a network keeps something of every pass, such as features in a list."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def grown_attributes(model: nn.Module) -> Iterator[list[str]]:
    """Names of lists, dicts, sets and deques that hold more after the passes within the block.

    What a pass fills the first time, such as a dict by the layers' names, counts unless an earlier
    pass did.
    """
    before = _sizes(model)
    grown: list[str] = []
    yield grown
    grown += [name for name, size in _sizes(model).items() if size > before.get(name, size)]


def _sizes(model: nn.Module) -> dict[str, int]:
    return {
        f"{prefix}{'.' if prefix else ''}{name}": _size(value)
        for prefix, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, dict | list | set | deque)
    }


def _size(value: Any) -> int:
    """How much it holds, together with the containers in it."""
    total, seen, waiting = 0, set[int](), [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list | tuple | set | deque) and id(one) not in seen:
            seen.add(id(one))
            total += len(one)
            waiting += one.values() if isinstance(one, dict) else one
    return total
