"""Reading what is written by hand: recipes and table specs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from naturalinversion.errors import MissingError, UsageError

S = TypeVar("S", bound=msgspec.Struct)


def read_toml(path: Path, struct: type[S]) -> S:
    """The file as ``struct``.

    Raises `MissingError` without the file and `UsageError` when it is not TOML or says anything
    else than ``struct`` knows.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=struct)
    except FileNotFoundError as error:
        raise MissingError(f"{path} is missing: the installation is incomplete") from error
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror})") from error
    # Not UTF-8, not TOML, not the struct, too deep.
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"{path}: {one_line(error)}") from error


def validated(values: Mapping[str, Any], struct: type[S], recipe: str) -> S:
    """The values of ``recipe`` as ``struct``. Raises `UsageError` for a wrong key or type."""
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        raise UsageError(f"recipe {recipe}: {error}") from error


def one_line(error: Exception) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split()) or type(error).__name__
