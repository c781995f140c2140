"""Networks whose stages are found in unlike ways, and teachers of them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion import Teacher
from naturalinversion.seeds import generator, seeded


class FunctionalPooling(nn.Module):
    """Pools and activates by functions: no module to put a hook on."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 4, 8, 12)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in channels[1:])
        self.head = nn.Linear(12 * 2 * 2, 5)

    def forward(self, images: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            images = F.max_pool2d(F.relu(norm(conv(images))), 2)
        logits: Tensor = self.head(images.flatten(1))
        return logits


class OneReluForAll(nn.Module):
    """The same activation and pooling modules at every resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b))
            for a, b in ((3, 4), (4, 8), (8, 12))
        )
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(12, 5)

    def forward(self, images: Tensor) -> Tensor:
        for block in self.blocks:
            images = self.pool(self.relu(block(images)))
        logits: Tensor = self.head(images.mean(dim=(2, 3)))
        return logits


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1; maps inside change resolution before the block ends."""

    def __init__(self, before: int, inner: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, inner, 1)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, after, 1)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        joined: Tensor = self.relu(self.bn3(self.conv3(out)) + self.downsample(x))
        return joined


class BottleneckNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1 = nn.Sequential(Bottleneck(4, 2, 8, 1), Bottleneck(8, 2, 8, 1))
        self.layer2 = nn.Sequential(Bottleneck(8, 4, 16, 2), Bottleneck(16, 4, 16, 1))
        self.layer3 = nn.Sequential(Bottleneck(16, 8, 32, 2))
        self.fc = nn.Linear(32, 5)

    def maps(self, images: Tensor) -> list[Tensor]:
        found, x = [], self.stem(images)
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
            found.append(x)
        return found

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.maps(images)[-1].mean(dim=(2, 3)))
        return logits


def teach(model: nn.Module, **changes: object) -> Teacher:
    arguments: dict[str, object] = {"num_classes": 5, "image_shape": (3, 16, 16), **changes}
    return Teacher(model, **arguments)  # type: ignore[arg-type]


def made(factory: Callable[[], nn.Module]) -> nn.Module:
    """Weights by seed, and batch norms with running statistics."""
    with seeded(1):
        model = factory().train()
        with torch.no_grad():
            model(torch.randn(8, 3, 16, 16))
    return model


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0))


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def shapes(maps: Sequence[Tensor]) -> list[tuple[int, int]]:
    return [(m.shape[1], m.shape[-1]) for m in maps]
