"""stdout is the result; everything else goes to stderr."""

import sys
from typing import Any

import msgspec


def say(line: str) -> None:
    """One line for the reader at the terminal."""
    print(line, file=sys.stderr)


def result(text: str) -> None:
    """What the command was asked for, seen at once also where stdout is a pipe."""
    print(text, flush=True)


def result_json(value: Any) -> None:
    """The same for programs."""
    print(msgspec.json.format(msgspec.json.encode(value)).decode())
