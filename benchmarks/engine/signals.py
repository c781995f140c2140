"""Signals that come while worker processes are started, or native code is loaded."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HELD = signal.SIGINT, signal.SIGTERM, signal.SIGALRM  # Ctrl-C, `kill`, and `deadline`'s


@contextmanager
def held_while_spawning() -> Iterator[None]:
    """A signal that comes in the block is answered at its end.

    Processes that are spawned in the block are so started whole: a parent that leaves in between
    makes them fail with a traceback after its own last line. They inherit what this thread blocks,
    so they never hear Ctrl-C, not even while they import. Native code that is loaded in the block
    comes up whole, too: it may abort at a handler's error.
    """
    arrived: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # where handlers can be set, and run
        handlers = {number: signal.signal(number, hold) for number in HELD}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for one in arrived:
            signal.raise_signal(one)
