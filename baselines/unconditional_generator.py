"""The generator of DAFL (Chen et al., 2019), whose topology DFAD (Fang et al., 2019) shares.

CMI's and Fast-DFKD's (Fang et al., 2021 and 2022) differs in its end.
"""

import torch
from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled
from naturalinversion.generator.conditional_generator import BASE_CHANNELS
from naturalinversion.generator.image_size import base_resolution
from naturalinversion.generator.upsampling import Upsample2x
from naturalinversion.seeds import to_device


class UnconditionalGenerator(nn.Module):
    """Latent (N, Z) to images (N, C, H, W) of about zero mean and unit variance per channel.

    Tanh and a batch norm without parameters end it. ``eps`` is that of the two inner batch norms:
    the official DAFL code has 0.8 there, in the place where GAN code of its lineage has it. With
    ``pixels`` a sigmoid ends it, so that images are pixels in [0, 1], and convolutions that a batch
    norm follows have no bias.
    """

    def __init__(
        self,
        latent: int,
        *,
        image_size: int | tuple[int, int] = 32,
        width: float = 1.0,
        eps: float = 1e-5,
        channels: int = 3,
        pixels: bool = False,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.base = base_resolution(image_size)
        height, width_of_base = self.base
        self.channels = scaled(BASE_CHANNELS, width)  # of the maps
        half = scaled(BASE_CHANNELS // 2, width)
        self.project = nn.Linear(latent, self.channels * height * width_of_base)
        self.body = nn.Sequential(
            nn.BatchNorm2d(self.channels),
            Upsample2x(),
            nn.Conv2d(self.channels, self.channels, 3, padding=1, bias=not pixels),
            nn.BatchNorm2d(self.channels, eps=eps),
            nn.LeakyReLU(0.2),
            Upsample2x(),
            nn.Conv2d(self.channels, half, 3, padding=1, bias=not pixels),
            nn.BatchNorm2d(half, eps=eps),
            nn.LeakyReLU(0.2),
            nn.Conv2d(half, channels, 3, padding=1),
            *([nn.Sigmoid()] if pixels else [nn.Tanh(), nn.BatchNorm2d(channels, affine=False)]),
        )

    def forward(self, latent: Tensor) -> Tensor:
        """``latent`` (N, Z) to images (N, C, H, W)."""
        maps = self.project(latent).view(-1, self.channels, *self.base)
        images: Tensor = self.body(maps.contiguous(memory_format=torch.channels_last))
        return images

    def sample(self, size: int, draws: torch.Generator) -> Tensor:
        """``size`` images (N, C, H, W) of latents drawn from N(0, 1) with ``draws``."""
        weight = self.project.weight
        latent = to_device(torch.randn(size, self.latent, generator=draws), weight.device)
        images: Tensor = self(latent.to(weight.dtype))
        return images
