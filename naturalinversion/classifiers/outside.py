"""Networks of somebody's own code, by ``package.module:factory``, beside the library's.

In recipes and in files such a network's name ends in a digest of the code that defines it,
``package.module:factory@3f9c…``: edited code is another network. `build` makes only what `admit`
or `identify` was told of, so that a name read from a file imports nothing.
"""

import copy
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from naturalinversion.digest import tensors_sha256
from naturalinversion.errors import UsageError, reason_of
from naturalinversion.named_code import (
    class_files,
    load_object,
    raised,
    source_file,
    sources_sha256,
)
from naturalinversion.seeds import seeded

Factory = Callable[..., Any]
DIGITS = 12  # as many as a cell's key has
KNOWN = ("torch", "naturalinversion")

_admitted: dict[str, Factory] = {}


def is_outside(name: str) -> bool:
    """Whether the name is that of somebody's own network, with its digest or without."""
    return ":" in name


def plain_name(name: str) -> str:
    """The name without the digest of its code; others as they are."""
    return name.partition("@")[0]


def identify(name: str, num_classes: int, flag: str) -> str:
    """Import the factory ``name`` and admit it; the name with the digest of its code.

    Importing and calling it run somebody's code. Raises `UsageError`, whose line begins with
    ``flag``, when it can't be imported, fails or returns no network.
    """
    factory = load_object(name, flag)
    with seeded(0):
        model = _made(factory, num_classes, f"{flag} {name}")
    full = f"{name}@{_digest(factory, model, f'{flag} {name}')}"
    _admitted[full] = factory
    return full


def admit(name: str) -> None:
    """Let `build` make the network ``name``, with its digest, that a recipe asks for.

    For workers: what they are told to compute was named by a person. Raises `UsageError`.
    """
    if name not in _admitted:
        _admitted[name] = load_object(plain_name(name), "network")


def build_outside(name: str, num_classes: int) -> nn.Module:
    """The network ``name``, with its digest, on the CPU in float32, initialised by its own code.

    Raises `UsageError` for one that nobody has admitted or whose code has changed.
    """
    plain = plain_name(name)
    if name not in _admitted:
        raise UsageError(
            f"{plain} is somebody's own code, which a file may not import: name it on the command "
            "line"
        )
    factory = _admitted[name]
    model = _made(factory, num_classes, plain)
    found = _digest(factory, model, plain)
    if found != (asked := name.partition("@")[2]):
        raise UsageError(
            f"{plain}: its code is {found} by now, not the {asked} that was planned: give the "
            "command again"
        )
    return model


def call_factory(factory: Any, num_classes: int, where: str) -> nn.Module:
    """The network that ``factory`` returns, which is given ``num_classes`` if it takes that.

    Raises `UsageError`, whose line begins with ``where``.
    """
    if isinstance(factory, nn.Module):
        name = type(factory).__name__
        raise UsageError(f"{where}: a network, {name}, and not a function that returns one")
    if not callable(factory):
        raise UsageError(f"{where}: a {type(factory).__name__}, no function that returns a network")
    arguments = {"num_classes": num_classes} if _takes_classes(factory) else {}
    try:
        model = factory(**arguments)
    except (Exception, SystemExit) as error:  # whatever somebody's code raises
        raise UsageError(f"{where}: {raised(error)}") from error
    if not isinstance(model, nn.Module):
        raise UsageError(f"{where}: returned {type(model).__name__}, no module")
    return model


def _made(factory: Factory, num_classes: int, where: str) -> nn.Module:
    """As `call_factory`, but a network of its own, on the CPU in float32."""
    model = call_factory(factory, num_classes, where)
    try:
        # The factory may return the same network every time: training must not reach it.
        return copy.deepcopy(model).to("cpu", torch.float32)
    except Exception as error:
        raise UsageError(f"{where}: the network can't be copied: {reason_of(error)}") from error


@cache
def own_weights_sha256(name: str, num_classes: int) -> str:
    """`state_sha256` of a network whose code loads its weights, built once to see it."""
    return state_sha256(build_outside(name, num_classes))


def state_sha256(model: nn.Module) -> str:
    """That of a network's weights and buffers, by name, type and shape."""
    state = model.state_dict()
    return tensors_sha256({key: value for key, value in state.items() if isinstance(value, Tensor)})


def _takes_classes(factory: Factory) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "num_classes" or p.kind is p.VAR_KEYWORD for p in parameters)


def _digest(factory: Factory, model: nn.Module, where: str) -> str:
    """Of the files that define the factory and the classes of the network's modules, their base
    classes' too; PyTorch's and ours are not somebody's own.
    """
    own = source_file(factory)
    if own is None:
        raise UsageError(f"{where}: no file defines it, so its code can't be told from another's")
    classes = {type(module) for module in model.modules()}
    return sources_sha256({own}.union(*(class_files(one, KNOWN) for one in classes)))[:DIGITS]
