"""Warnings of a cell whose stderr nobody reads, as on another machine."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, TextIO, cast

from tqdm import tqdm

from benchmarks.engine.our_warnings import our_warnings_to

BEGINNING = "warning: "


@contextmanager
def kept_warnings(label: str) -> Iterator[list[str]]:
    """The lines that warn, filled while the block runs; stderr has them as before.

    ``label`` is that of the cell, for the library's warnings, which name none.
    """
    keeper = _Keeper(sys.stderr)
    with redirect_stderr(cast(TextIO, keeper)), our_warnings_to(lambda said: _say(label, said)):
        yield keeper.lines


def _say(label: str, said: str) -> None:
    tqdm.write(f"{BEGINNING}{label}: {said}", file=sys.stderr)


class _Keeper:
    """A stream that passes on what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.lines: list[str] = []
        self._stream, self._begun = stream, ""

    def write(self, text: str) -> int:
        *whole, self._begun = re.split("[\r\n]", self._begun + text)  # bars return to the beginning
        self.lines += [line for line in whole if line.startswith(BEGINNING)]
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
