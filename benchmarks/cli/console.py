"""stdout is the result; everything else goes to stderr."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from typing import Any, TextIO

import msgspec

_result: TextIO | None = None  # stdout, while `stdout_is_the_result`


@contextmanager
def stdout_is_the_result() -> Iterator[None]:
    """What anybody else prints in the block, such as a module of a user's own, goes to stderr."""
    global _result
    before, _result = _result, sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _result = before


def escape_unknown_letters() -> None:
    """Letters that the output's encoding lacks are printed by number, and are no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def log(line: str) -> None:
    """One line on stderr, for the reader at the terminal."""
    print(line, file=sys.stderr)


def print_result(text: str) -> None:
    """The result as text on stdout, flushed: seen at once also where stdout is a pipe.

    Where the reader has left, as ``head`` does, the command goes on without one.
    """
    stream = _result or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        close_pipe(stream)


def close_pipe(stream: TextIO) -> None:
    """Let what is written to ``stream`` vanish: nobody reads it, and that is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def print_json(value: Any) -> None:
    """The result as indented JSON on stdout."""
    print_result(msgspec.json.format(msgspec.json.encode(value)).decode())
