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
    def ratios(self) -> list[float]:
        """How many times faster, round by round."""
        return [s / f for s, f in zip(self.slow, self.fast, strict=True)]

    @property
    def ratio(self) -> float:
        """Their median."""
        return median(self.ratios)


def in_turns(slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> Pair:
    """Call both once unmeasured, then in turns."""
    slow()
    fast()
    found = [(cpu_seconds(slow), cpu_seconds(fast)) for _ in range(rounds)]
    return Pair(tuple(s for s, _ in found), tuple(f for _, f in found))


def cpu_seconds(call: Callable[[], object]) -> float:
    """Process CPU seconds of one call, over all threads."""
    started = time.process_time()
    call()
    return time.process_time() - started
