"""The training loop: what it adds to the bare step, and its images against the usual loader."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from benchmarks.perf.ratio_clock import Comparison, cpu_seconds
from benchmarks.perf.training_speed import MEAN, STD, BareStep, TrainingComparison, noise
from benchmarks.training.losses import cross_entropy_loss
from naturalinversion.augmentation import sample_crop_flips


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("arch", "width", "size", "batch", "updates"),
    [("resnet18", 0.125, 16, 64, 16), ("vgg11", 0.125, 16, 64, 32), ("resnet18", 1.0, 32, 32, 3)],
)
def test_training_step(
    arch: str, width: float, size: int, batch: int, updates: int, compare: Comparison
) -> None:
    """Updates of the loop against bare steps: over 0.95 is an overhead under 5 %."""
    comparison = TrainingComparison(arch, width, size, batch, torch.device("cpu"))

    def turn() -> tuple[float, float]:
        """Of all updates but one, so that what a run does once cancels."""
        many, one = side_by_side(comparison, updates + 1), side_by_side(comparison, 1)
        return many[0] - one[0], many[1] - one[1]

    compare.turns(turn, 5)


def side_by_side(comparison: TrainingComparison, updates: int) -> tuple[float, float]:
    """CPU seconds of bare steps and of the loop, which takes one of its own after each of them."""
    step, own = BareStep(copy.deepcopy(comparison.model)), cross_entropy_loss()
    bare = 0.0

    def loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        nonlocal bare
        bare += cpu_seconds(lambda: step(*comparison.given))
        return own(model, images, labels)

    whole = cpu_seconds(lambda: comparison.loop(updates, loss))
    return bare, whole - bare


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
        rng = torch.Generator().manual_seed(0)
        crop_flips = sample_crop_flips(512, padding=4, flip=True, generator=rng)
        source.augmented(everything, crop_flips, 4, "zeros")

    compare(lambda: torch.stack([each(image) for image in source.images]), at_once)
