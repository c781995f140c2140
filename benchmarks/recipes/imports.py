"""Objects named ``package.module:name`` on the command line: importing them runs their code."""

import importlib
import sys
from pathlib import Path
from typing import Any

from naturalinversion.errors import UsageError


def load_object(name: str, flag: str) -> Any:
    """Import ``package.module:name``, looking in the working directory as well."""
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{flag} {name}: write package.module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does when it is imported
        raise UsageError(f"{flag} {name}: {type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        raise UsageError(f"{flag} {name}: {module_name} has no '{attribute}'")
    return getattr(module, attribute)
