"""What a network has beside its weights: hooks, and tensors that were computed."""

import dis
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from torch import Tensor, nn

COMPILED = "_torchdynamo_orig_callable"  # of a function that torch.compile has wrapped
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
OURS = ("torch", "naturalinversion")  # packages whose functions only do what a pass needs
_CACHED = type(lru_cache(int))  # a function with a cache, which a copy shares as well


def computed_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Tensors among its attributes that autograd computed, also in dicts, lists and tuples."""
    for value in _items(value for module in model.modules() for value in vars(module).values()):
        if isinstance(value, Tensor) and not value.is_leaf:
            yield value


def hook_that_holds(model: nn.Module) -> str | None:
    """The first module with a hook that is a function which reads a module of ``model``.

    It may keep what it is given there, and a copy of the network has the same function.
    """
    parts = {id(module) for module in model.modules()}
    for name, module in model.named_modules():
        for function in map(_called, _hooks(module)):
            if not isinstance(function, FunctionType) or _is_ours(function):
                continue
            owners = (getattr(value, "__self__", value) for value in _items(_read(function)))
            if any(id(owner) in parts for owner in owners):
                return _owner(model, name)
    return None


def foreign_hooks(model: nn.Module) -> list[str]:
    """The modules with hooks that are a user's functions or objects, no methods of ``model``."""
    parts = {id(module) for module in model.modules()}
    return [
        _owner(model, name)
        for name, module in model.named_modules()
        for hook in _hooks(module)
        if not _is_ours(hook) and id(_called(hook)) not in parts
    ]


def has_own_hooks(module: nn.Module) -> bool:
    """Whether a hook of ``module`` is none of PyTorch's or of this library's."""
    return not all(_is_ours(hook) for hook in _hooks(module))


def _is_ours(value: Any) -> bool:
    """Whether a function, or the class of an object that is called, is ours."""
    called = _called(value)
    function = isinstance(called, FunctionType | BuiltinFunctionType)
    where = called.__module__ if function else type(called).__module__
    return (where or "").split(".")[0] in OURS


def _called(value: Any) -> Any:
    """The function or object behind partial application, caches and methods."""
    while isinstance(value, (partial, _CACHED, MethodType)):
        if isinstance(value, partial):
            value = value.func
        else:
            value = value.__self__ if isinstance(value, MethodType) else value.__wrapped__
    return value


def _owner(model: nn.Module, name: str) -> str:
    return f"'{name}'" if name else type(model).__name__


def _hooks(module: nn.Module) -> list[Any]:
    return [hook for name in HOOKS for hook in vars(module).get(name, {}).values()]


def _read(function: FunctionType) -> Iterator[Any]:
    """What a function finds in its closure and by global names."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # not assigned yet
            yield cell.cell_contents
    for instruction in dis.get_instructions(function):
        if instruction.opname == "LOAD_GLOBAL":
            yield function.__globals__.get(instruction.argval)


def _items(values: Iterable[Any]) -> Iterator[Any]:
    """``values``, and in place of dicts, lists, tuples and partials what they hold."""
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list | tuple | partial):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, partial):
                waiting += (value.func, value.args, value.keywords)
            else:
                waiting += value.values() if isinstance(value, dict) else value
