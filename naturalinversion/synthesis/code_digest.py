"""What somebody's classes and functions compute, as bytes: by their text, or as compiled."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any


def class_code(cls: type) -> bytes:
    """The text that defines ``cls``, or its compiled methods where there is none.

    Of a class in a script or a notebook it is the class's own text, of another its whole file.
    """
    try:
        if cls.__module__ == "__main__":
            return inspect.getsource(cls).encode()
        return Path(inspect.getfile(cls)).read_bytes()
    except (OSError, TypeError):
        methods = sorted(vars(cls).items())
        codes = ((name, getattr(value, "__code__", None)) for name, value in methods)
        return b"".join(name.encode() + b"".join(_compiled(code)) for name, code in codes if code)


def function_parts(function: Any) -> list[Any]:
    """What a Python function computes with: its compiled code, the values it closes over, plain
    globals that it names, defaults and the object that it is a method of; of the one behind a
    cache, and empty for one that isn't written in Python.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        return function_parts(function.__wrapped__) if hasattr(function, "__wrapped__") else []
    cells = getattr(function, "__closure__", None) or ()
    closed = [cell.cell_contents for cell in cells if _is_filled(cell)]
    return [
        b"".join(_compiled(code)).hex(),
        closed,
        {
            n: v
            for n, v in _globals_named(code, function)
            if isinstance(v, bool | int | float | str)
        },
        function.__defaults__,
        function.__kwdefaults__,
        getattr(function, "__self__", None),
    ]


def _globals_named(code: CodeType, function: Any) -> Iterator[tuple[str, Any]]:
    return ((n, function.__globals__[n]) for n in code.co_names if n in function.__globals__)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a variable that is bound after the function is made
        return False


def _compiled(code: CodeType) -> Iterator[bytes]:
    """Without names of files and numbers of lines, the functions within included."""
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _compiled(constant)
        elif isinstance(constant, frozenset):  # in another order in every process
            yield repr(sorted(constant, key=repr)).encode()
        else:
            yield repr(constant).encode()
