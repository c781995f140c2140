"""Packages that are not installed, said in one line: the library alone installs without those that
only the harness needs, and a bare machine has no ``make setup``.
"""

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

OURS = ("naturalinversion", "baselines", "benchmarks", "reports")
HARNESS = "benchmarks"  # the extra
MODULES = {"scikit-learn": "sklearn", "pillow": "PIL"}  # named otherwise than their packages
EXIT_CODE = 3  # a file is missing

PROJECT = "naturalinversion"

_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


class Requirement(NamedTuple):
    """A module that is needed, and the extra that brings it: empty for the library's own."""

    module: str
    extra: str


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
    known = list(_requirements())
    for_commands = [one.module for one in known if one.extra in ("", HARNESS)]
    others = [name for name in for_commands if name != needed and not _found(name)]
    also = f" (nor {', '.join(others)})" if others else ""
    extra = next((one.extra for one in known if one.module == needed), HARNESS) or HARNESS
    return (
        f"{needed} is not installed{also}: the extra [{extra}] brings it, in a checkout by "
        f"`make setup` or pip install '.[{extra}]'; or put it on PYTHONPATH"
    )


def _requirements() -> Iterator[Requirement]:
    """What the checkout's pyproject.toml lists, or else what the installed package says."""
    if _PYPROJECT.is_file():
        project = tomllib.loads(_PYPROJECT.read_text())["project"]
        listed = {"": project["dependencies"], **project["optional-dependencies"]}
    else:
        listed = _installed_requirements()
    for extra, lines in listed.items():
        for line in lines:
            name = re.split(r"[<>=~! \[;]", line, maxsplit=1)[0]
            if name != PROJECT:
                yield Requirement(MODULES.get(name, name.replace("-", "_")), extra)


def _installed_requirements() -> dict[str, list[str]]:
    """By extra."""
    listed: dict[str, list[str]] = {}
    try:
        lines = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return listed
    for line in lines:
        extra = re.search(r"extra == [\"']([\w-]+)[\"']", line)
        listed.setdefault(extra[1] if extra else "", []).append(line)
    return listed


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
