"""Progress of long loops: methods call a callback, the command line draws a bar."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tqdm import tqdm

Progress = Callable[[int], None]  # called with the number of steps since the last call
Draw = Callable[[int], AbstractContextManager[Progress]]  # called with the number of steps to do

_line = 0  # of the terminal, counted down from the cursor


def silent(steps: int) -> None:
    """Report nothing."""


def use_line(number: int) -> None:
    """Draw this process's bars on line ``number``, as other processes use the same terminal."""
    global _line
    _line = number


def quiet() -> bool | None:
    """The value of tqdm's ``disable``: True under CI, else None: only if stderr is no terminal."""
    return True if os.environ.get("CI") else None


@contextmanager
def bar(
    total: int | None,
    description: str,
    unit: str = "it",
    *,
    always: bool = False,
) -> Iterator[Progress]:
    """A bar on stderr with its rate and the time left; ``always`` also where nobody may watch."""
    with tqdm(
        total=total or None,
        desc=description or None,
        unit=unit,
        unit_scale=unit != "it",
        position=_line,
        disable=False if always else quiet(),
        leave=False,
    ) as line:
        yield line.update
