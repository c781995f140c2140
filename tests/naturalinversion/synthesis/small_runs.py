"""A small run of `synthesize`."""

from pathlib import Path
from typing import Any

from naturalinversion import NaturalInversion, SyntheticDataset, Teacher, synthesize

ITERATIONS, BATCHES, SIZE = 2, 3, 8


def small(**settings: Any) -> NaturalInversion:
    return NaturalInversion(iterations=ITERATIONS, latent=8, generator_width=0.1, **settings)


def fill(teacher: Teacher, folder: Path, synthesizer: Any, **more: Any) -> SyntheticDataset:
    return synthesize(synthesizer, teacher, folder, batches=BATCHES, batch_size=SIZE, **more)
