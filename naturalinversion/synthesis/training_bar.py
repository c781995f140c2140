"""The progress of a synthesis, drawn as a bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from naturalinversion.progress import Draw, bar
from naturalinversion.synthesis.synthesizer import Synthesizer, Training, iterations_of


@contextmanager
def training_bar(
    synthesizer: Synthesizer,
    missing: int,
    joint: bool,
    title: str,
    wanted: bool | Draw,
    training: Training,
) -> Iterator[Training]:
    """``training`` whose progress is drawn as well, if ``wanted``: as a bar, or as that draws."""
    if not wanted or not (missing or joint):
        yield training
        return
    steps = iterations_of(synthesizer, missing)
    with wanted(steps) if callable(wanted) else bar(steps, title, always=True) as draw:

        def both(steps: int) -> None:
            training.progress(steps)
            draw(steps)

        yield replace(training, progress=both)
