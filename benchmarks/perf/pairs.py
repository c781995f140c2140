"""Two ways to do the same thing, timed in turns: what a busy machine adds, it adds to both."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Pair:
    """Process CPU seconds of each round of a slow and a fast way, both over all threads."""

    slow: tuple[float, ...]
    fast: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times faster, the median of the rounds' ratios."""
        return median(s / f for s, f in zip(self.slow, self.fast, strict=True))


def in_turns(slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> Pair:
    """Call both once unmeasured, then in turns."""
    slow(), fast()
    found = [(_cpu_seconds(slow), _cpu_seconds(fast)) for _ in range(rounds)]
    return Pair(tuple(s for s, _ in found), tuple(f for _, f in found))


def _cpu_seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started
