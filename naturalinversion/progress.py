"""How long steps report that they advance: a callable, so that methods know no progress bar."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Progress = Callable[[int], None]  # told how many steps were done since the last call

_line = 0  # of the terminal, counted from the cursor down


def silent(steps: int) -> None:
    """Report nothing."""


def use_line(number: int) -> None:
    """Draw this process's bars on line ``number``: processes that share a terminal take turns."""
    global _line
    _line = number


def quiet() -> bool | None:
    """What tqdm's ``disable`` should be: off under CI, and by itself when stderr is no terminal."""
    return True if os.environ.get("CI") else None


@contextmanager
def bar(
    total: int | None, description: str, unit: str = "it", initial: int = 0
) -> Iterator[Progress]:
    """A bar on stderr with its rate and the time left."""
    with tqdm(
        total=total or None,
        initial=initial,
        desc=description or None,
        unit=unit,
        unit_scale=unit != "it",
        position=_line,
        disable=quiet(),
        leave=False,
    ) as line:

        def advance(steps: int) -> None:
            line.update(steps)

        yield advance
