"""A teacher's own copy of the network that it is given, which stays as it is."""

import copy
from collections.abc import Callable
from itertools import chain
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from naturalinversion.errors import TeacherError, reason_of
from naturalinversion.teacher.attributes import (
    COMPILED,
    computed_tensors,
    has_own_hooks,
    hook_that_holds,
)


def own_copy(model: nn.Module, what: str = "the classifier") -> nn.Module:
    """A frozen copy in eval mode, not compiled and without a wrapper for several devices.

    Compiled networks and submodules are replaced by the modules behind them, whose layers can be
    observed. Raises `TeacherError`, in which the model is called ``what``, for what is no module,
    TorchScript, weights on the meta device, hooks that hold the model, and what can't be copied or
    put into eval mode.
    """
    if not isinstance(model, nn.Module):
        raise TeacherError(
            f"{what} is {type(model).__name__}, not a torch.nn.Module: build the network, "
            "and load weights with its load_state_dict"
        )
    if not isinstance(model, torch.jit.ScriptModule):
        model = _unwrapped(model)
    if any(isinstance(module, torch.jit.ScriptModule) for module in (model, *model.modules())):
        raise TeacherError(
            f"{what} is TorchScript, whose layers can't be observed: give the module that "
            "it was made from"
        )
    if any(map(is_lazy, chain(model.parameters(), model.buffers()))):
        raise TeacherError(f"{what} has lazy weights without values: pass images through it first")
    if any(tensor.is_meta for tensor in chain(model.parameters(), model.buffers())):
        raise TeacherError(f"{what}'s weights are on the meta device: it has no values yet")
    if (name := hook_that_holds(model)) is not None:
        raise TeacherError(
            f"a hook of {name} is a function that holds your instance, so a copy can't have it: "
            "make it a method"
        )
    # PyTorch refuses to copy computed tensors, such as normalised weights and kept features.
    memo = {id(tensor): tensor.detach().clone() for tensor in computed_tensors(model)}
    try:
        copied = copy.deepcopy(model, dict(memo))
    except Exception as error:  # whatever somebody's attributes raise
        raise TeacherError(
            f"{what} can't be copied, as a teacher does to leave yours as it is: "
            f"{_uncopyable(model, memo)}{reason_of(error)}"
        ) from error
    for parent in list(copied.modules()):
        for name, child in list(parent._modules.items()):  # a child may have two names
            if child is not None and (inner := _unwrapped(child)) is not child:
                setattr(parent, name, inner)
    for module in copied.modules():
        if (original := _uncompiled_forward(module)) is not None:
            module.forward = original
    try:
        copied.eval()  # whose own train() may return nothing
    except Exception as error:
        raise TeacherError(
            f"{what} can't be put into eval mode, as its own train() or eval() is not called like "
            f"PyTorch's: {reason_of(error)}"
        ) from error
    copied.requires_grad_(False)
    return copied


def _uncopyable(model: nn.Module, memo: dict[int, Any]) -> str:
    """The first attribute that can't be copied, as the beginning of a reason; or empty."""
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            try:
                if name != "_modules":  # whose attributes come by themselves
                    copy.deepcopy(value, dict(memo))
            except Exception:  # whatever it raises was told already
                return f"its attribute '{prefix}{'.' if prefix else ''}{name}': "
    return ""


def check_wrappers(model: nn.Module) -> None:
    """Raises `TeacherError` for a hook of a wrapper in ``model``, which a copy is without."""
    for name, module in model.named_modules():
        if _behind(module) is not None and has_own_hooks(module):
            which = f"{type(module).__name__} {name!r}" if name else type(module).__name__
            raise TeacherError(
                f"a hook of {which} would be lost, for what is inverted is the module behind it: "
                "register it there"
            )


def first_tensor(model: nn.Module) -> Tensor:
    """The first parameter or buffer in floating point. Raises `TeacherError` if there is none."""
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.is_floating_point():
            return tensor
    raise TeacherError("the classifier has no weights in floating point")


def _unwrapped(module: nn.Module) -> nn.Module:
    """The module behind all wrappers."""
    while (inner := _behind(module)) is not None:
        module = inner
    return module


def _behind(module: nn.Module) -> nn.Module | None:
    """The module behind `torch.compile`, DataParallel or DistributedDataParallel."""
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return module._modules.get("module" if isinstance(module, wrappers) else "_orig_mod")


def _uncompiled_forward(module: nn.Module) -> Callable[..., Any] | None:
    """The forward method behind one that `torch.compile` decorates, of ``module`` itself."""
    own = module.__dict__.get("forward")
    original = getattr(type(module).forward if own is None else own, COMPILED, None)
    if original is None:
        return None
    function = getattr(original, "__func__", original)
    inherited = function in (type(module).forward, getattr(type(module).forward, COMPILED, None))
    return MethodType(function, module) if inherited else original
