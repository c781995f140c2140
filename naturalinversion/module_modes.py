"""Training and eval mode of a network's modules, and which of its weights are trainable."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Every module is in its own mode again after the block, whatever it was set to within."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def trainability_kept(model: nn.Module) -> Iterator[None]:
    """Those parameters have ``requires_grad`` after the block that had it before."""
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        for parameter, requires_grad in flags:
            parameter.requires_grad_(requires_grad)


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """The network is in eval mode and its parameters without gradients until the end of the block.

    Modes and flags are as before afterwards.
    """
    with modes_kept(model), trainability_kept(model):
        model.eval()  # whose own train() may return nothing
        model.requires_grad_(False)
        yield
