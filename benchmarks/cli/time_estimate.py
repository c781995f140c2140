"""How long synthesis will take, said once where no bar shows it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.cli.cell_plan import rough_duration
from benchmarks.cli.console import log
from naturalinversion.progress import Progress, bar

FIRST = 5  # iterations that are timed, after the very first, which sets things up
WORTH_SAYING = 60.0  # seconds


@contextmanager
def bar_or_estimate(iterations: int, title: str) -> Iterator[Progress]:
    """A bar of so many iterations; without a terminal a line that says how long they take."""
    with bar(iterations, title) as progress:
        yield with_estimate(progress, iterations)


def with_estimate(progress: Progress, iterations: int) -> Progress:
    """``progress``, and one line on stderr after the first of ``iterations``, if it takes long.

    A terminal has a bar with the time left in its place.
    """
    if sys.stderr.isatty():
        return progress
    begun, done = 0.0, 0

    def advance(steps: int) -> None:
        nonlocal begun, done
        progress(steps)
        if done > FIRST:
            return
        done += steps
        if not begun:
            begun, done = time.monotonic(), 0
        elif done > FIRST:
            seconds = (time.monotonic() - begun) / done * iterations
            if seconds >= WORTH_SAYING:
                whole = rough_duration(seconds)
                log(f"{iterations:,} iterations, about {whole} at this pace")

    return advance
