"""What the contract runs on: every method of the suite at a tiny size, and two from outside."""

import os
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from baselines import METHODS
from benchmarks.recipes.methods import method_class
from naturalinversion import Batch, Teacher, Training
from naturalinversion.progress import Progress
from naturalinversion.synthesis import StudentUse, Synthesizer
from naturalinversion.synthesis.sequence import EarlierBatches

BANK = {
    "epochs": 3,
    "warmup": 0,
    "student_steps": 2,
    "student_batch": 8,
    "latent": 8,
    "generator_width": 0.1,
}
JOINT = {"epochs": 2, "steps": 2, "batch_size": 8, "latent": 8, "generator_width": 0.1}
SMALL: dict[str, dict[str, Any]] = {  # and other readings of a method, after a hyphen
    "dafl": JOINT,
    "dfad": {**JOINT, "student_steps": 2},
    "cmi": {**BANK, "inner_steps": 2, "projection": 8, "negatives": 6, "memory": 12},
    "fast": {**BANK, "inner_steps": 2, "warmup": 1, "reset": 0.5},
    "fast-reptile": {**BANK, "inner_steps": 2, "meta": "reptile"},
    "fast-carried": {**BANK, "inner_steps": 2, "meta": "none"},
    "di": {"iterations": 3},
    "adi": {"iterations": 3},
    "ni": {"iterations": 3, "latent": 8, "generator_width": 0.1},
    "ni-carried": {"iterations": 3, "latent": 8, "generator_width": 0.1, "carried": True},
    "ni_adi": {"iterations": 3, "latent": 8, "generator_width": 0.1},
    "noise": {},
}


@dataclass(kw_only=True)
class FromOutside:
    """A method no package knows: the teacher's running mean colour plus noise."""

    noise: float = 0.5

    student_use: ClassVar[StudentUse] = "none"

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        self.shape = teacher.image_shape
        self.device = teacher.device

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        draws = torch.Generator().manual_seed(seed)
        images = self.noise * torch.randn(len(labels), *self.shape, generator=draws)
        progress(1)
        return Batch(images.to(self.device), labels)


@dataclass(kw_only=True)
class SequentialFromOutside(FromOutside):
    """Each batch is noise on the mean of the one before, as stored, and on a sum of all means."""

    sequential: ClassVar[bool] = True

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        super().prepare(teacher, student, seed, training)
        self.drift = torch.zeros(())
        self.before = torch.zeros(self.shape)

    def follow(self, earlier: EarlierBatches) -> None:
        self.before = earlier[-1][0].float().mean(dim=0) if len(earlier) else self.before

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        made = super().batch(labels, seed, progress)
        images = made.images.cpu() + self.before + self.drift
        self.drift = self.drift + images.mean()
        return Batch(images.to(self.device), labels)

    def state_dict(self) -> dict[str, Tensor]:
        return {"drift": self.drift}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.drift = state["drift"]


OUTSIDE: dict[str, type[Synthesizer]] = {
    "from_outside": FromOutside,
    "sequential_from_outside": SequentialFromOutside,
}
NAMES = [*METHODS, *(name for name in SMALL if "-" in name), *OUTSIDE]
if YOURS := os.environ.get("CONTRACT_METHOD"):  # package.module:Class, with quick defaults
    NAMES.append(YOURS)


def small(name: str) -> Synthesizer:
    """The method with settings that take a moment."""
    if name in OUTSIDE:
        return OUTSIDE[name]()
    if name not in SMALL:
        method: Synthesizer = method_class(name)()
        return method
    return METHODS[name.partition("-")[0]](**SMALL[name])
