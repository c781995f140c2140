"""The training loop: what it adds to the bare step, and its images against the usual loader."""

import pytest
import torch
from torchvision.transforms import v2

from benchmarks.augmentation import draw
from benchmarks.perf.relative import Comparison, cpu_seconds
from benchmarks.perf.training import MEAN, STD, Race, noise


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("arch", "width", "size", "batch", "updates"),
    [("resnet18", 0.125, 16, 64, 16), ("vgg11", 0.125, 16, 64, 32), ("resnet18", 1.0, 32, 32, 3)],
)
def test_training_step(
    arch: str, width: float, size: int, batch: int, updates: int, compare: Comparison
) -> None:
    """Epochs of the loop against bare steps: over 0.95 is an overhead under 5 %."""
    race = Race(arch, width, size, batch, torch.device("cpu"))

    def turn() -> tuple[float, float]:
        """Of all updates but one, so that what a run does once cancels."""
        plain = cpu_seconds(lambda: race.bare(updates + 1)) - cpu_seconds(lambda: race.bare(1))
        return plain, cpu_seconds(lambda: race.loop(updates + 1)) - cpu_seconds(
            lambda: race.loop(1)
        )

    compare.turns(turn, 5)


@pytest.mark.usefixtures("one_thread")
def test_loader(compare: Comparison) -> None:
    """512 augmented and normalised images of 32 pixels: the batch at once, or one by one."""
    source = noise(512, 32)
    each = v2.Compose(
        [
            v2.RandomCrop(32, padding=4),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN.tolist(), STD.tolist()),
        ]
    )
    everything = torch.arange(512)

    def at_once() -> None:
        draws = draw(512, padding=4, flip=True, generator=torch.Generator().manual_seed(0))
        source.augmented(everything, draws, 4, "zeros")

    compare(lambda: torch.stack([each(image) for image in source.images]), at_once)
