"""Synthesis by any data-free method: its interface, and the one function that runs it."""

from naturalinversion.synthesis.labels import balanced_labels
from naturalinversion.synthesis.run import synthesize
from naturalinversion.synthesis.synthesizer import (
    Batch,
    StudentUse,
    Synthesizer,
    Training,
    iterations_of,
)

__all__ = [
    "Batch",
    "StudentUse",
    "Synthesizer",
    "Training",
    "balanced_labels",
    "iterations_of",
    "synthesize",
]
