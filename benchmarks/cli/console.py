"""stdout is the result; everything else goes to stderr."""

import os
import sys
from typing import Any, TextIO

import msgspec


def log(line: str) -> None:
    """One line on stderr, for the reader at the terminal."""
    print(line, file=sys.stderr)


def print_result(text: str) -> None:
    """The result as text on stdout, flushed: seen at once also where stdout is a pipe.

    Where the reader has left, as ``head`` does, the command goes on without one.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        close_pipe(sys.stdout)


def close_pipe(stream: TextIO) -> None:
    """Let what is written to ``stream`` vanish: nobody reads it, and that is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def print_json(value: Any) -> None:
    """The result as indented JSON on stdout."""
    print_result(msgspec.json.format(msgspec.json.encode(value)).decode())
