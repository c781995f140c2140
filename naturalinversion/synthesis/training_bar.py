"""The progress of a synthesis, drawn as a bar."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from naturalinversion.progress import bar
from naturalinversion.synthesis.synthesizer import Synthesizer, Training, iterations_of


@contextmanager
def training_bar(
    synthesizer: Synthesizer,
    missing: int,
    joint: bool,
    title: str,
    wanted: bool,
    training: Training,
) -> Iterator[Training]:
    """``training`` whose progress is drawn as a bar as well, if one is ``wanted``."""
    if not wanted or not (missing or joint):
        yield training
        return
    with bar(iterations_of(synthesizer, missing), title, always=True) as draw:

        def both(steps: int) -> None:
            training.progress(steps)
            draw(steps)

        yield replace(training, progress=both)
