"""What a network keeps beside its weights: functions that hold parts of it, computed tensors."""

import dis
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from torch import Tensor, nn

COMPILED = "_torchdynamo_orig_callable"  # of a function that torch.compile has wrapped
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_OF_A_MODULE = frozenset(vars(nn.Module()))
_OURS = ("torch", "naturalinversion")  # packages whose functions only do what a pass needs
_CACHED = type(lru_cache(int))  # a function with a cache, which a copy shares as well


def computed_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Tensors among its attributes that autograd computed, also in dicts, lists and tuples."""
    for value in _items(value for module in model.modules() for value in vars(module).values()):
        if isinstance(value, Tensor) and not value.is_leaf:
            yield value


def held_by_functions(model: nn.Module) -> tuple[str, str] | None:
    """The first function among attributes and hooks that holds a part of ``model``.

    Which function of which module. Copies of a network have the same functions, also those behind
    caches and partial application: these work on the parts of the network that they were made for.
    """
    parts = {id(part) for part in (*model.modules(), *model.parameters(), *model.buffers())}
    for name, module in model.named_modules():
        own = [(f"'{n}'", [v]) for n, v in vars(module).items() if n not in _OF_A_MODULE]
        for kind, values in (*own, ("a hook", _hooks(module))):
            functions = [value for value in _items(values) if _is_function(value)]
            for function in (getattr(each, COMPILED, each) for each in functions):
                cached = isinstance(function, _CACHED)  # a method of PyTorch's, it may be
                if (cached or not _is_ours(function)) and _holds(function, parts, set()):
                    return kind, _owner(model, name)
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


def _is_function(value: Any) -> bool:
    return isinstance(value, (FunctionType, _CACHED))


def _is_ours(value: Any) -> bool:
    """Whether a function, or the class of an object that is called, is ours."""
    called = _called(value)
    function = isinstance(called, FunctionType | BuiltinFunctionType)
    where = called.__module__ if function else type(called).__module__
    return (where or "").split(".")[0] in _OURS


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


def _holds(function: Any, parts: set[int], seen: set[int]) -> bool:
    """Whether a function reaches one of ``parts``, from its closure, defaults or globals."""
    seen.add(id(function))
    for value in _items(_reached(function)):
        owner = value.__self__ if isinstance(value, MethodType) else value
        if id(owner) in parts:
            return True
        near = _is_function(value) and _module(value) == _module(function)
        if near and id(value) not in seen and _holds(value, parts, seen):
            return True
    return False


def _module(function: Any) -> Any:
    """That of the function behind caches, or of the class of another object."""
    return getattr(_called(function), "__module__", None)


def _reached(function: Any) -> Iterator[Any]:
    if isinstance(function, _CACHED):
        yield function.__wrapped__
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for instruction in dis.get_instructions(function):
        if instruction.opname == "LOAD_GLOBAL" and instruction.argval in function.__globals__:
            yield function.__globals__[instruction.argval]


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
