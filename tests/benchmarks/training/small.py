"""A network and images that the tests of training share: small, and learnt in a few epochs."""

import torch
from torch import nn

from benchmarks.recipes.schema import TrainingRecipe
from benchmarks.training.device_dataset import DeviceDataset
from benchmarks.training.loop import TrainingHistory, train
from benchmarks.training.losses import Loss, cross_entropy_loss
from naturalinversion.seeds import seeded

MEAN, STD = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.25, 0.25, 0.25])
RECIPE = TrainingRecipe(epochs=4, batch_size=16, lr=0.05, crop=1, evaluate_every=1)


def make_model(dropout: float = 0.3) -> nn.Sequential:
    with seeded(1):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(32, 3),
        )


def make_dataset(count: int = 50, dtype: torch.dtype = torch.uint8) -> DeviceDataset:
    """Class k is brighter in channel k."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 128, (count, 3, 8, 8), generator=rng)
    images[torch.arange(count), labels] += 100
    if dtype == torch.uint8:
        return DeviceDataset(images.to(dtype), labels, MEAN, STD)
    teacher_space = (images / 255 - MEAN[0]) / STD[0]
    return DeviceDataset(teacher_space.to(dtype), labels, MEAN, STD)


def run(
    model: nn.Module,
    recipe: TrainingRecipe = RECIPE,
    dataset: DeviceDataset | None = None,
    loss: Loss | None = None,
    **options: object,
) -> TrainingHistory:
    """Train on the CPU from seed 5."""
    return train(
        model,
        dataset or make_dataset(),
        recipe,
        loss=loss or cross_entropy_loss(),
        device="cpu",
        **{"seed": 5, **options},  # type: ignore[arg-type]
    )


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same parameters and buffers."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
