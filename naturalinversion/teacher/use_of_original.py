"""Whether a copy of a network computes with parts of the original, which functions may hold.

Copies of a network have the same functions, also those behind callable objects, caches and global
names: these work on the network that they were made for. What a pass uses is seen while it runs.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from naturalinversion.errors import TeacherError
from naturalinversion.teacher.attributes import OURS, computed_tensors


@contextmanager
def refused_use_of(original: nn.Module) -> Iterator[None]:
    """Run passes of a copy of ``original``, and stop before they use a part of ``original``.

    A part is a module that is called, a parameter, a buffer, or a tensor that was computed of them.
    Raises `TeacherError` that names the first one used, whatever the pass raised because of it. Not
    seen are operations inside TorchScript. Functions that `torch.compile` made run uncompiled.
    """
    use = _Use(original)
    thread = threading.get_ident()

    def calls(module: nn.Module, inputs: Any) -> None:
        if threading.get_ident() == thread:  # the hook is one of all threads
            use.check(module)

    try:
        with register_module_forward_pre_hook(calls), _uncompiled(), use:
            yield
    except Exception:
        if not use.found:
            raise
    if use.found:
        raise TeacherError(use.found)


class _UsedError(Exception):
    """Ends a pass before it computes with, or writes to, a part of the original."""


class _Use(TorchFunctionMode):
    """``found`` tells the first use of a part of ``original``; empty without one."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self.found = ""
        named = chain(
            original.named_modules(), original.named_parameters(), original.named_buffers()
        )
        # The parts themselves are kept: the id of one that is replaced meanwhile stays its own.
        self._parts: dict[int, tuple[Any, str]] = {
            id(tensor): (tensor, "a tensor of it") for tensor in computed_tensors(original)
        } | {id(part): (part, f"its '{name}'" if name else "all of it") for name, part in named}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        for value in tree_leaves((args, kwargs or {})):
            if isinstance(value, Tensor):
                self.check(value)
        return func(*args, **(kwargs or {}))

    def check(self, value: nn.Module | Tensor) -> None:
        """Raises `_UsedError` for a part of the original."""
        if id(value) not in self._parts:
            return
        self.found = self.found or (
            f"a function that holds your instance computes with {self._parts[id(value)][1]}"
            f"{_place(sys._getframe(1))}, so a copy can't have it: make it a method"
        )
        raise _UsedError


def _place(frame: FrameType | None) -> str:
    """File and line of the innermost code that is neither PyTorch's nor ours."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in OURS:
            return f" (line {frame.f_lineno} of {Path(frame.f_code.co_filename).name})"
        frame = frame.f_back
    return ""


def _uncompiled() -> AbstractContextManager[Any]:
    """Compiled functions run as they are written, once there can be any."""
    if "torch._dynamo" not in sys.modules:  # which takes seconds to import
        return nullcontext()
    eager: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return eager
