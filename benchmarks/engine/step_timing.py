"""Steps that cells consist of, timed on the machine at hand without computing a cell.

A step is timed on grey images and random weights, on a batch small enough for a CPU, and scaled:
its time hardly depends on what the images show.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from benchmarks.engine.cell import Cell
from benchmarks.engine.machine import Machine
from naturalinversion.classifiers import build
from naturalinversion.classifiers.outside import admit, is_outside
from naturalinversion.errors import TeacherWarning
from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.precision import Precision
from naturalinversion.seeds import seeded
from naturalinversion.teacher.teacher import Teacher

CPU_BATCH = 64  # a larger batch is timed with so many images and scaled
TIMED_STEPS = 4
TIMED_REPLAYS = 60  # of a step that a GPU has captured


class Step(Protocol):
    """Work that can be timed; hashable, so that like steps of several cells are timed once.

    The result of a ``shared`` step is kept for later cells: only the first cell takes the time.
    """

    @property
    def shared(self) -> bool: ...

    def seconds(self, machine: Machine) -> float:
        """The time of one, measured."""


StepCounts = dict[Step, int]  # how often a cell takes each step


@dataclass(frozen=True)
class RandomClassifier:
    """A classifier's architecture and sizes; its weights, random, do not matter for time."""

    arch: str
    width: float
    image_size: int
    classes: int

    def untrained(self) -> nn.Module:
        """The network on the CPU. Somebody's own is imported: a worker has not heard of it yet."""
        if is_outside(self.arch):
            admit(self.arch)
        with seeded(0):
            return build(self.arch, self.classes, self.width)

    def teacher(self, device: torch.device, precision: Precision = "fp32") -> Teacher:
        """The network with random weights, frozen."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TeacherWarning)  # it is untrained
            return Teacher(
                self.untrained().to(device),
                num_classes=self.classes,
                image_shape=(3, self.image_size, self.image_size),
                precision=precision,
            )


def classifier_of(cell: Cell, classes: int) -> RandomClassifier:
    """The network of a classifier's cell, or of a student's."""
    recipe = cell.recipe
    return RandomClassifier(recipe["arch"], recipe["width"], recipe["image_size"], classes)


def timed_batch(batch_size: int, device: torch.device) -> tuple[int, float]:
    """The batch size to time a step with, and the factor from its time to the true step's."""
    size = batch_size if device.type == "cuda" else min(batch_size, CPU_BATCH)
    return size, batch_size / size


def steps_to_time(device: torch.device) -> int:
    """How many steps `per_step` times of those that a GPU captures and replays.

    The capture itself is in both of the times that it subtracts.
    """
    return TIMED_REPLAYS if supports_capture(device) else TIMED_STEPS


def per_step(run: Callable[[int], object], device: torch.device, more: int = TIMED_STEPS) -> float:
    """Seconds of one step of ``run(n)``, which takes n: its set-up cancels in a difference."""
    run(1)
    short, long = _timed(run, 1, device), _timed(run, 1 + more, device)
    return max((long - short) / more, long / (1 + more) / 10)


def _timed(run: Callable[[int], object], steps: int, device: torch.device) -> float:
    best = math.inf
    for _ in range(2):
        started = time.perf_counter()
        run(steps)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best
