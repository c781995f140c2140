"""What a fast way costs beside a slow one, in the same run: the only timing that can be compared.

pytest-benchmark measures with `clock`, which goes by relative cost: a round runs both ways in turn
and moves it by (fast CPU seconds) / (slow CPU seconds). Its statistics, its saved files and
``--benchmark-compare-fail`` are then about ratios, and what a busy machine adds it adds to both.
"""

import time
from collections.abc import Callable
from statistics import median

from pytest_benchmark.fixture import BenchmarkFixture

_now = 0.0

Turn = Callable[[], tuple[float, float]]  # CPU seconds of the slow way and of the fast one


def clock() -> float:
    """The sum of the relative costs measured so far."""
    return _now


def advance(cost: float) -> None:
    """Move the clock on."""
    global _now
    _now += cost


class Comparison:
    """Measures two ways against each other and keeps the line for the table of ratios."""

    def __init__(self, benchmark: BenchmarkFixture, name: str, lines: list[tuple[str, str]]):
        self.benchmark, self.name, self.lines = benchmark, name, lines

    def __call__(
        self, slow: Callable[[], object], fast: Callable[[], object], rounds: int = 3
    ) -> float:
        """How many times faster: the median of ``rounds``, after one round that does not count."""
        return self.turns(lambda: (cpu_seconds(slow), cpu_seconds(fast)), rounds)

    def turns(self, turn: Turn, rounds: int, note: Callable[[float], str] | None = None) -> float:
        """The same of rounds that return their seconds; ``note`` gets the fast way's median."""
        found: list[tuple[float, float]] = []

        def measured() -> None:
            slow, fast = turn()
            found.append((slow, fast))
            advance(fast / slow)

        self.benchmark.pedantic(measured, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call]
        ratios = [slow / fast for slow, fast in found[-rounds:]]
        seconds = median(fast for _, fast in found[-rounds:])
        self.benchmark.extra_info.update(ratio=median(ratios), fast_cpu_seconds=seconds)
        text = f"{median(ratios):.2f} (of {rounds} rounds {min(ratios):.2f} to {max(ratios):.2f})"
        self.lines.append((self.name, text + (note(seconds) if note else "")))
        return median(ratios)


def cpu_seconds(call: Callable[[], object]) -> float:
    """Process CPU seconds of one call, over all threads."""
    started = time.process_time()
    call()
    return time.process_time() - started
