"""A run that must end in time: ``--max-hours``."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 30.0  # seconds until the next alarm, where something kept the first from ending the block


class TimeIsUpError(BaseException):
    """Raised wherever the work is; no cell may take it for a failure of its own."""

    exit_code = 75  # sysexits.h, EX_TEMPFAIL: the same command goes on


@contextmanager
def stop_after(hours: float) -> Iterator[None]:
    """`TimeIsUpError` in the main thread once ``hours`` have passed in the block; 0 never does.

    Shards and records are written whole or not at all, so what was finished by then is kept. The
    error is raised again every `AGAIN` seconds: Python drops one that meets it in a destructor or
    a callback of native code.
    """
    if not hours:
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise_time_is_up)
    signal.setitimer(signal.ITIMER_REAL, hours * 3600, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise_time_is_up(number: int, frame: FrameType | None) -> None:
    raise TimeIsUpError
