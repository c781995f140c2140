"""Somebody's own code by ``package.module:name``: imported, and told apart by its content."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from naturalinversion.errors import UsageError


def load_object(name: str, flag: str) -> Any:
    """Import ``package.module:name``, looking in the working directory as well.

    Importing the module runs its code. Raises `UsageError` with ``flag`` in its line.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{flag} {name}: write package.module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever the module does when it is imported
        raise UsageError(f"{flag} {name}: {raised(error)}") from error
    if not hasattr(module, attribute):
        raise UsageError(f"{flag} {name}: {module_name} has no '{attribute}'")
    return getattr(module, attribute)


def raised(error: BaseException) -> str:
    """What somebody's code raised, on one line: its type and what it says."""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"


def source_file(thing: Any) -> Path | None:
    """The Python file that defines a class or a function; None where there is none."""
    while isinstance(thing, partial):
        thing = thing.func
    try:
        found = inspect.getsourcefile(inspect.unwrap(thing))
    except (TypeError, ValueError):  # built in, or an object that is neither class nor function
        return None
    return Path(found) if found and Path(found).is_file() else None


def class_files(cls: type, known: Collection[str]) -> set[Path]:
    """The Python files that define a class and its base classes, but for those of Python itself and
    of the packages ``known``.
    """
    known = {*sys.stdlib_module_names, *known}
    others = (one for one in cls.__mro__ if one.__module__.partition(".")[0] not in known)
    return {path for one in others if (path := source_file(one)) is not None}


def sources_sha256(files: Iterable[Path]) -> str:
    """One digest of the contents of some files, wherever they lie and in whatever order."""
    contents = sorted(hashlib.sha256(path.read_bytes()).digest() for path in set(files))
    return hashlib.sha256(b"".join(contents)).hexdigest()
