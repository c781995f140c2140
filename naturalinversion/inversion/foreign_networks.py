"""Steps with somebody else's network: captured as a CUDA graph where that can be done.

Tried before the capture, as PyTorch's allocator does not recover from one that fails.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from naturalinversion.errors import NaturalInversionWarning, reason_of
from naturalinversion.inversion.cuda_graph import CapturedStep

OWN = ("torch", "naturalinversion", "baselines")  # packages whose modules can be captured

Result = TypeVar("Result")


def try_capture(
    step: Callable[[], Result],
    device: torch.device,
    state: Callable[[], Sequence[Tensor]],
    networks: Sequence[nn.Module],
    what: str,
    *,
    trust_own: bool = True,
) -> CapturedStep[Result] | None:
    """``step``, which contains ``networks``, captured; None where that can't be done.

    ``what`` goes on eagerly then, as a warning says. With ``trust_own`` networks of this library
    and of PyTorch alone are captured without a trial, and what fails is raised. After a trial the
    networks are as before, in values, buffers, modes and flags. Raises `torch.OutOfMemoryError`.
    """
    if trust_own and not any(map(is_foreign, networks)):
        return CapturedStep(step, device, state)
    before = [_NetworkState(network) for network in networks]
    try:
        captured = CapturedStep(step, device, state, unknown=True)
        if any(network.has_other_buffers() for network in before):
            raise RuntimeError("a buffer is replaced in the forward pass, not written to")
    except Exception as error:  # whatever somebody else's network raises
        for network in before:
            network.restore()
        if isinstance(error, torch.OutOfMemoryError):
            raise
        warnings.warn(
            f"{what} goes on without a CUDA graph, and slower for a narrow network: a step of it "
            f"can't be captured ({reason_of(error)})",
            NaturalInversionWarning,
            stacklevel=3,
        )
        return None
    for network in before:
        network.restore()
    return captured


def is_foreign(network: nn.Module) -> bool:
    """Whether code of others than this library and PyTorch runs in it: a module's, or a hook's."""
    return any(map(_runs_foreign_code, network.modules()))


def _runs_foreign_code(module: nn.Module) -> bool:
    hooks = (
        *module._forward_hooks.values(),
        *module._forward_pre_hooks.values(),
        *module._backward_hooks.values(),
        *module._backward_pre_hooks.values(),
    )
    code = [type(module), *hooks]
    named = [str(getattr(one, "__module__", "")).partition(".")[0] for one in code]
    return isinstance(module, torch.fx.GraphModule) or any(name not in OWN for name in named)


class _NetworkState:
    """What a trial may change in a network beside the tensors that its step updates."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.buffers = [(m, dict(m._buffers), m.training) for m in network.modules()]
        self.values = [(buffer, buffer.clone()) for buffer in network.buffers()]
        self.flags = [(weight, weight.requires_grad) for weight in network.parameters()]

    def has_other_buffers(self) -> bool:
        """Whether a buffer is another tensor now."""
        return any(_objects(m._buffers) != _objects(before) for m, before, _ in self.buffers)

    @torch.no_grad()
    def restore(self) -> None:
        for module, buffers, training in self.buffers:
            module._buffers.clear()
            module._buffers.update(buffers)
            module.training = training
        for buffer, value in self.values:
            if not torch.equal(buffer, value):  # a write counts as a change of the teacher
                buffer.copy_(value)
        for weight, requires_grad in self.flags:
            weight.requires_grad_(requires_grad)


def _objects(buffers: dict[str, Tensor | None]) -> list[tuple[str, int]]:
    return [(name, id(buffer)) for name, buffer in buffers.items()]
