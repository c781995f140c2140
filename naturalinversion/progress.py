"""How long steps report that they advance: a callable, so that methods know no progress bar."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[[int], None]  # told how many steps were done since the last call


def silent(steps: int) -> None:
    """Report nothing."""


@contextmanager
def bar(total: int | None, description: str, unit: str = "it") -> Iterator[Progress]:
    """A bar on stderr with rate and time left; quiet when stderr is no terminal or CI is set."""
    quiet = not sys.stderr.isatty() or bool(os.environ.get("CI"))
    with tqdm(total=total or None, desc=description, unit=unit, disable=quiet, leave=False) as line:

        def advance(steps: int) -> None:
            line.update(steps)

        yield advance
