"""stdout is the result; everything else goes to stderr."""

import sys
from typing import Any

import msgspec


def log(line: str) -> None:
    """One line on stderr, for the reader at the terminal."""
    print(line, file=sys.stderr)


def print_result(text: str) -> None:
    """The result as text on stdout, flushed: seen at once also where stdout is a pipe."""
    print(text, flush=True)


def print_json(value: Any) -> None:
    """The result as indented JSON on stdout."""
    print(msgspec.json.format(msgspec.json.encode(value)).decode())
