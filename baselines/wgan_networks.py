"""The residual networks of WGAN-GP (Gulrajani et al., 2017, Appendix F, unsupervised CIFAR-10)."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled

BASE_CHANNELS = 128
BASE_SIDE = 4
HE = math.sqrt(2)  # gain of a convolution that follows a ReLU


class Generator(nn.Module):
    """Latent (N, Z) to images (N, 3, H, W) in [-1, 1]; batch norms use the batch's statistics."""

    def __init__(self, latent: int, image_size: int, width: float = 1.0) -> None:
        super().__init__()
        self.channels = scaled(BASE_CHANNELS, width)
        doublings = int(math.log2(image_size // BASE_SIDE))
        self.project = _linear(latent, self.channels * BASE_SIDE**2)
        self.body = nn.Sequential(
            *(GeneratorBlock(self.channels) for _ in range(doublings)),
            _norm(self.channels),
            nn.ReLU(),
            _conv(self.channels, 3, 3, gain=1.0),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor) -> Tensor:
        maps = self.project(latent).view(-1, self.channels, BASE_SIDE, BASE_SIDE)
        images: Tensor = self.body(maps)
        return images


class GeneratorBlock(nn.Module):
    """Pre-activation residual block with batch norm: (N, C, H, W) to (N, C, 2H, 2W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shortcut = _conv(channels, channels, 1, gain=1.0)
        self.body = nn.Sequential(
            _norm(channels),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            _conv(channels, channels, 3, gain=HE),
            _norm(channels),
            nn.ReLU(),
            _conv(channels, channels, 3, gain=HE),
        )

    def forward(self, maps: Tensor) -> Tensor:
        # Nearest upsampling and a 1x1 convolution commute: the smaller maps are convolved.
        out: Tensor = self.body(maps) + F.interpolate(self.shortcut(maps), scale_factor=2.0)
        return out


class Critic(nn.Module):
    """Images (N, 3, H, W) to scores (N,); no batch norm (the paper's Section 4)."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        channels = scaled(BASE_CHANNELS, width)
        self.blocks = nn.Sequential(
            CriticBlock(3, channels, down=True, first=True),
            CriticBlock(channels, channels, down=True),
            CriticBlock(channels, channels),
            CriticBlock(channels, channels),
        )
        self.score = _linear(channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.score(F.relu(self.blocks(images)).mean(dim=(2, 3)))
        return scores.squeeze(1)


class CriticBlock(nn.Module):
    """Pre-activation residual block; ``down`` halves the side, ``first`` has no ReLU on pixels."""

    def __init__(
        self, inputs: int, outputs: int, *, down: bool = False, first: bool = False
    ) -> None:
        super().__init__()
        self.down = down
        changes = down or inputs != outputs
        self.shortcut = _conv(inputs, outputs, 1, gain=1.0) if changes else nn.Identity()
        self.body = nn.Sequential(
            nn.Identity() if first else nn.ReLU(),
            _conv(inputs, outputs, 3, gain=HE),
            nn.ReLU(),
            _conv(outputs, outputs, 3, gain=HE),
        )

    def forward(self, maps: Tensor) -> Tensor:
        out = self.body(maps)
        if self.down:  # average pooling and a 1x1 convolution commute as well
            out, maps = F.avg_pool2d(out, 2), F.avg_pool2d(maps, 2)
        total: Tensor = out + self.shortcut(maps)
        return total


def _conv(inputs: int, outputs: int, kernel: int, gain: float) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    _initialise(conv, gain)
    return conv


def _linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    _initialise(linear, 1.0)
    return linear


def _initialise(layer: nn.Conv2d | nn.Linear, gain: float) -> None:
    assert layer.bias is not None
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, track_running_stats=False)
