"""Wide residual networks for small images (Zagoruyko and Komodakis, 2016), of depth d and width w.

The lineage that CMI and Fast-DFKD measure: pre-activation blocks, nothing between the stem and the
first block, and a shortcut that is the raw input where the number of channels stays, else a 1x1
convolution of the normalised input. Names of parameters are that lineage's, but for ``shortcut``;
published state dicts load through `key_mapping`.

Differs from the paper's network: no dropout, which the lineage sets to 0.
"""

import torch
from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled

CHANNELS = 16  # of the stem; the groups have 1, 2 and 4 times as many, times w


class PreActivationBlock(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, twice, and the shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        normalised = self.relu(self.bn1(x))
        shortcut = x if self.shortcut is None else self.shortcut(normalised)
        out: Tensor = self.conv2(self.relu(self.bn2(self.conv1(normalised))))
        return out + shortcut


class Group(nn.Module):
    """Blocks at one resolution; the first one brings the maps there."""

    def __init__(self, inputs: int, outputs: int, blocks: int, stride: int) -> None:
        super().__init__()
        first = PreActivationBlock(inputs, outputs, stride)
        self.layer = nn.Sequential(
            first, *(PreActivationBlock(outputs, outputs, 1) for _ in range(blocks - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


class WideResNet(nn.Module):
    """Three groups of (depth - 4) / 6 blocks, at 1, 1/2 and 1/4 of the image's resolution."""

    def __init__(self, depth: int, factor: int, num_classes: int, width: float) -> None:
        super().__init__()
        stem = scaled(CHANNELS, width)
        channels = [scaled(CHANNELS * factor * scale, width) for scale in (1, 2, 4)]
        blocks = (depth - 4) // 6
        self.conv1 = nn.Conv2d(3, stem, 3, 1, 1, bias=False)
        self.block1 = Group(stem, channels[0], blocks, stride=1)
        self.block2 = Group(channels[0], channels[1], blocks, stride=2)
        self.block3 = Group(channels[1], channels[2], blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(channels[2])
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(channels[2], num_classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block3(self.block2(self.block1(self.conv1(x))))  # (N, C, H/4, W/4)
        x = torch.mean(self.relu(self.bn1(x)), dim=(2, 3))
        logits: Tensor = self.fc(x)
        return logits


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
