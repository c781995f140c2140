"""Replacing the forward methods of modules for the length of a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Forwards = dict[nn.Module, Callable[[Tensor], Tensor]]


@contextmanager
def replaced_forward(functions: Forwards) -> Iterator[None]:
    """Call ``functions`` in place of the modules' ``forward`` until the end of the block.

    Their parameter is called ``input``, as PyTorch's layers call theirs: it may be given by name.
    """
    try:
        for module, function in functions.items():
            module.forward = function
        yield
    finally:
        for module in functions:
            module.__dict__.pop("forward", None)
