"""Replacing the forward methods of modules for the length of a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

Forwards = dict[nn.Module, Callable[[Tensor], Tensor]]


def convolves_as_usual(convolution: nn.Conv2d) -> bool:
    """Whether ``_conv_forward``, in which a subclass may change the weights, is PyTorch's."""
    own = "_conv_forward" in convolution.__dict__
    return type(convolution)._conv_forward is nn.Conv2d._conv_forward and not own


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
