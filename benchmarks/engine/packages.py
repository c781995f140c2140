"""Packages that are not installed, said in one line: a bare machine has no ``make setup``."""

import importlib
import re
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OURS = ("naturalinversion", "baselines", "benchmarks", "reports")
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}  # named otherwise than their packages
EXIT_CODE = 3  # a file is missing

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def load(module: str) -> Any:
    """Import ``module``. Exits with `EXIT_CODE`, in one line, when a package is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        print(f"error: {not_installed(error)}", file=sys.stderr)
        sys.exit(EXIT_CODE)


def not_installed(error: ModuleNotFoundError) -> str:
    """Which package ``error`` is about, and which others of ours are missing.

    Raises ``error`` again when it is about a module of this project: that is a fault of ours.
    """
    needed = (error.name or "").partition(".")[0]
    if not needed or needed in OURS:
        raise error
    others = [name for name in _absent() if name != needed]
    also = f" (nor {', '.join(others)})" if others else ""
    return f"{needed} is not installed{also}: `make setup` does it, or put it on PYTHONPATH"


def _absent() -> list[str]:
    """Modules of the packages that pyproject.toml lists and Python does not find."""
    if not _PROJECT.is_file():
        return []
    listed = tomllib.loads(_PROJECT.read_text())["project"]["dependencies"]
    names = [re.split(r"[<>=~! \[]", line, maxsplit=1)[0] for line in listed]
    modules = [MODULES.get(name, name.replace("-", "_")) for name in names]
    return [module for module in modules if not _found(module)]


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
