"""Steps of training and of testing a classifier, to be timed for `plan`."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from benchmarks.engine.machine import Machine
from benchmarks.engine.step_timing import (
    CPU_BATCH,
    RandomClassifier,
    per_step,
    steps_to_time,
    timed_batch,
)
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.accuracy import accuracy
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import train
from benchmarks.training.losses import cross_entropy_loss, distillation_loss


@dataclass(frozen=True)
class TrainingStep:
    """One update of a classifier; with ``teacher``, of a student distilled from it."""

    shared: ClassVar[bool] = False

    network: RandomClassifier
    batch_size: int
    teacher: RandomClassifier | None = None

    def seconds(self, machine: Machine) -> float:
        """Time of one update."""
        device = machine.torch_device()
        size, factor = timed_batch(self.batch_size, device)
        source = _gray_images(self.network, size, device)
        model = self.network.untrained()
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
                capture_from=1,  # as in the whole training that is estimated
            )

        return factor * per_step(run, device, steps_to_time(device))


@dataclass(frozen=True)
class ForwardStep:
    """Testing a classifier on one image."""

    shared: ClassVar[bool] = False

    network: RandomClassifier

    def seconds(self, machine: Machine) -> float:
        """Time per image."""
        device = machine.torch_device()
        source = _gray_images(self.network, CPU_BATCH, device)
        model = self.network.teacher(device).model
        return per_step(lambda n: [accuracy(model, source) for _ in range(n)], device) / CPU_BATCH


def _gray_images(network: RandomClassifier, count: int, device: torch.device) -> DeviceDataset:
    shape = (count, 3, network.image_size, network.image_size)
    half = torch.full((3,), 0.5)
    return DeviceDataset(
        torch.full(shape, 128, dtype=torch.uint8), torch.arange(count) % network.classes, half, half
    ).to(device)
