"""Training on a device: images a second, and what the loop adds to the bare step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.perf.stopwatch import Stopwatch
from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import train
from benchmarks.training.losses import Loss, cross_entropy_loss
from naturalinversion.classifiers import build
from naturalinversion.precision import Precision, compute_in

MEAN, STD = torch.tensor([0.49, 0.48, 0.45]), torch.tensor([0.2, 0.2, 0.2])


def noise(count: int, size: int) -> DeviceDataset:
    """Random pixels and labels."""
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8)
    return DeviceDataset(pixels, torch.randint(0, 10, (count,)), MEAN, STD)


class BareStep:
    """Forward, backward and update of a batch that is there already."""

    def __init__(self, model: nn.Module, precision: Precision = "fp32") -> None:
        self.model, self.precision = model.train(), precision
        model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True
        )

    def __call__(self, inputs: Tensor, labels: Tensor) -> None:
        with compute_in(inputs.device, self.precision):
            loss = F.cross_entropy(self.model(inputs), labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


class TrainingComparison:
    """The loop and the bare step on the same network and batch size."""

    def __init__(
        self,
        arch: str,
        width: float,
        size: int,
        batch: int,
        device: torch.device,
        precision: Precision = "fp32",
    ) -> None:
        self.batch, self.device, self.precision = batch, device, precision
        self.source = noise(4 * batch, size).to(device)
        self.model = build(arch, 10, width).to(device)
        self.model.to(memory_format=torch.channels_last)
        inputs = self.source.batch(slice(0, batch)).contiguous(memory_format=torch.channels_last)
        self.given = (inputs, self.source.labels[:batch])

    def bare(self, updates: int) -> None:
        """So many bare steps."""
        step = BareStep(self.model, self.precision)
        for _ in range(updates):
            step(*self.given)

    def loop(self, updates: int, loss: Loss | None = None) -> None:
        """An epoch of so many updates, with crops and flips."""
        recipe = TrainingRecipe(
            epochs=1, batch_size=self.batch, updates_per_epoch=updates, lr=0.01, crop=2
        )
        train(
            self.model,
            self.source,
            recipe,
            loss=loss or cross_entropy_loss(),
            seed=0,
            device=self.device,
            precision=self.precision,
            capture_from=1,  # in every run: what is done once cancels in a difference
        )


def speed(
    arch: str,
    width: float,
    size: int,
    batch: int,
    updates: int,
    precision: Precision,
    watch: Stopwatch,
) -> dict[str, float]:
    """Images a second, the share of time over the bare step, and the peak memory."""
    comparison = TrainingComparison(arch, width, size, batch, watch.device, precision)

    def seconds(bare: bool, count: int) -> float:
        started = watch.now()
        comparison.bare(count) if bare else comparison.loop(count)
        return watch.now() - started

    def per_update(bare: bool) -> float:
        """Of many less one, so that what a run does once cancels; the better of two."""
        seconds(bare, 2)
        return min(seconds(bare, updates + 1) - seconds(bare, 1) for _ in range(2)) / updates

    plain = per_update(bare=True)
    watch.begin()
    own = per_update(bare=False)
    return {
        "images_per_second": batch / own,
        "overhead": own / plain - 1,
        "peak_mb": watch.peak_mb(),
    }
