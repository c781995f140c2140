"""What a cell will do, in steps that can be timed on the machine at hand without running it.

A step's time is measured on random images and random weights, on a batch small enough for a CPU,
and scaled: the time of a step hardly depends on what the images show.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol

import msgspec
import torch

from benchmarks.engine.cell import Cell
from benchmarks.engine.machine import Machine
from benchmarks.recipes.methods import build_method
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import train
from benchmarks.training.losses import cross_entropy_loss, distillation_loss
from naturalinversion.classifiers import build
from naturalinversion.inversion.cuda_graph import supports_capture
from naturalinversion.precision import Precision
from naturalinversion.seeds import seeded
from naturalinversion.synthesis import Training, balanced_labels
from naturalinversion.teacher.teacher import Teacher

CPU_BATCH = 64  # a larger batch is timed on so many images and scaled
TIMED_STEPS = 4
REPLAYED_STEPS = 60  # the same where a device repeats them


class Step(Protocol):
    """Work that can be timed; hashable, so that like steps of several cells are timed once.

    What a ``shared`` step makes is kept for later cells: the first that takes it takes it for all.
    """

    @property
    def shared(self) -> bool: ...

    def seconds(self, machine: Machine) -> float:
        """The time of one, measured."""


@dataclass(frozen=True)
class Network:
    """A classifier as a step sees it."""

    arch: str
    width: float
    image_size: int
    classes: int

    def teacher(self, device: torch.device, precision: Precision = "fp32") -> Teacher:
        """The network with random weights, frozen."""
        with seeded(0):
            model = build(self.arch, self.classes, self.width)
        return Teacher(
            model.to(device),
            num_classes=self.classes,
            image_shape=(3, self.image_size, self.image_size),
            precision=precision,
        )


@dataclass(frozen=True)
class TrainingStep:
    """One update of a classifier; with ``teacher``, of a student that follows it."""

    shared: ClassVar[bool] = False

    network: Network
    batch_size: int
    teacher: Network | None = None

    def seconds(self, machine: Machine) -> float:
        """Time of one update."""
        device = machine.torch_device()
        size, factor = _timed_batch(self.batch_size, device)
        source = _noise(self.network, size, device)
        with seeded(0):
            model = build(self.network.arch, self.network.classes, self.network.width)
        loss = cross_entropy_loss()
        if self.teacher is not None:
            loss = distillation_loss(self.teacher.teacher(device), 3.0)

        def run(updates: int) -> None:
            recipe = TrainingRecipe(
                epochs=1, batch_size=size, updates_per_epoch=updates, lr=1e-6, crop=1
            )
            train(
                model,
                source,
                recipe,
                loss=loss,
                seed=0,
                device=device,
                precision=machine.precision,
            )

        return factor * per_step(run, device)


@dataclass(frozen=True)
class TestStep:
    """Testing a classifier on one image."""

    shared: ClassVar[bool] = False

    network: Network

    def seconds(self, machine: Machine) -> float:
        """Time per image."""
        device = machine.torch_device()
        source = _noise(self.network, CPU_BATCH, device)
        model = self.network.teacher(device).model
        return per_step(lambda n: [accuracy(model, source) for _ in range(n)], device) / CPU_BATCH


@dataclass(frozen=True)
class SynthesisStep:
    """One iteration of a method's optimisation, or one batch of a method that has none."""

    shared: ClassVar[bool] = False

    method: str
    settings: bytes  # JSON
    teacher: Network
    batch_size: int
    student: Network | None

    def seconds(self, machine: Machine) -> float:
        """Time per iteration (per batch if the method does not count iterations)."""
        device = machine.torch_device()
        settings = msgspec.json.decode(self.settings)
        own_batch = "batch_size" in settings
        size, factor = _timed_batch(settings.get("batch_size", self.batch_size), device)
        shared = "shared_batch" in settings and not settings.get("one_to_one", True)
        if own_batch:
            settings["batch_size"] = size
        elif shared:
            settings["shared_batch"] = size
        synthesizer = build_method(self.method, settings)
        teacher = self.teacher.teacher(device, machine.precision)
        student = None if self.student is None else self.student.teacher(device).model.train()
        labels = balanced_labels(size, teacher.num_classes, 0).to(device)

        def run(steps: int) -> None:
            timed = _shortened(synthesizer, steps)
            timed.prepare(teacher, student, 0, Training())
            if not own_batch and not shared:
                timed.batch(labels, 0, lambda done: None)

        if supports_capture(device):  # the capture is in both times
            return factor * per_step(run, device, more=REPLAYED_STEPS)
        return factor * per_step(run, device)


Workload = dict[Step, int]  # how often each step is taken


def network_of(classifier: Cell, classes: int) -> Network:
    """The network of a classifier cell, or of a student cell."""
    recipe = classifier.recipe
    return Network(recipe["arch"], recipe["width"], recipe["image_size"], classes)


def _shortened(synthesizer: Any, steps: int) -> Any:
    """The method with ``steps`` iterations in all, if it counts iterations."""
    names = {f.name for f in fields(synthesizer)} if is_dataclass(synthesizer) else set()
    if "iterations" in names:
        return replace(synthesizer, iterations=steps)
    if {"epochs", "steps"} <= names:
        return replace(synthesizer, epochs=1, steps=steps)
    return synthesizer


def _timed_batch(batch_size: int, device: torch.device) -> tuple[int, float]:
    size = batch_size if device.type == "cuda" else min(batch_size, CPU_BATCH)
    return size, batch_size / size


def _noise(network: Network, count: int, device: torch.device) -> DeviceDataset:
    shape = (count, 3, network.image_size, network.image_size)
    half = torch.full((3,), 0.5)
    return DeviceDataset(
        torch.full(shape, 128, dtype=torch.uint8), torch.arange(count) % network.classes, half, half
    ).to(device)


def per_step(run: Callable[[int], object], device: torch.device, more: int = TIMED_STEPS) -> float:
    """The time of one more step: that of ``more`` after the first, so that set-up cancels."""
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
