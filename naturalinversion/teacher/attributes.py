"""What a network keeps beside its weights: functions that hold parts of it, computed tensors."""

import dis
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any, TypeGuard

from torch import Tensor, nn

COMPILED = "_torchdynamo_orig_callable"  # of a function that torch.compile has wrapped
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_OF_A_MODULE = frozenset(vars(nn.Module()))
_OURS = ("torch", "naturalinversion")  # packages whose functions only do what a pass needs


def computed_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Tensors among its attributes that autograd computed, also in dicts, lists and tuples."""
    for value in _items(value for module in model.modules() for value in vars(module).values()):
        if isinstance(value, Tensor) and not value.is_leaf:
            yield value


def held_by_functions(model: nn.Module) -> tuple[str, str] | None:
    """The first function among attributes and hooks that holds a part of ``model``.

    Which function of which module. Copies of a network have the same functions: these work on the
    parts of the network that they were made for.
    """
    parts = {id(part) for part in (*model.modules(), *model.parameters(), *model.buffers())}
    for name, module in model.named_modules():
        own = [(f"'{n}'", [v]) for n, v in vars(module).items() if n not in _OF_A_MODULE]
        for kind, values in (*own, ("a hook", _hooks(module))):
            functions = [value for value in _items(values) if isinstance(value, FunctionType)]
            for function in (getattr(each, COMPILED, each) for each in functions):
                if _is_foreign(function) and _holds(function, parts, set()):
                    return kind, _owner(model, name)
    return None


def foreign_hooks(model: nn.Module) -> list[str]:
    """The modules with hooks that are functions of a user's."""
    return [
        _owner(model, name)
        for name, module in model.named_modules()
        for hook in _hooks(module)
        if _is_foreign(hook)
    ]


def _is_foreign(value: Any) -> TypeGuard[FunctionType]:
    return isinstance(value, FunctionType) and (value.__module__ or "").split(".")[0] not in _OURS


def _owner(model: nn.Module, name: str) -> str:
    return f"'{name}'" if name else type(model).__name__


def _hooks(module: nn.Module) -> list[Any]:
    return [hook for name in HOOKS for hook in vars(module).get(name, {}).values()]


def _holds(function: FunctionType, parts: set[int], seen: set[int]) -> bool:
    """Whether a function reaches one of ``parts``, from its closure, defaults or globals."""
    seen.add(id(function))
    for value in _items(_reached(function)):
        owner = value.__self__ if isinstance(value, MethodType) else value
        if id(owner) in parts:
            return True
        near = isinstance(value, FunctionType) and value.__module__ == function.__module__
        if near and id(value) not in seen and _holds(value, parts, seen):
            return True
    return False


def _reached(function: FunctionType) -> Iterator[Any]:
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
    """``values``, and in place of dicts, lists and tuples what they hold."""
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if not isinstance(value, dict | list | tuple):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value
