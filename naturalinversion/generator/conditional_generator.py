"""The conditional generator of NaturalInversion and the upsampling body it is made of.

Kim et al., AAAI 2022, "Inversion Using Generative Model"; the layers are those of the official
code, since the paper's appendix is not public. Widths, channels and image sizes other than 32 are
ours.
"""

import torch
from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled
from naturalinversion.generator.image_size import base_resolution
from naturalinversion.generator.upsampling import Upsample2x

BASE_CHANNELS = 128


class ConditionalGenerator(nn.Module):
    """Latent and label to an unbounded image (N, C, H, W): no activation at the end.

    The latent (N, ``latent``) and the raw one-hot label (N, K) go through one linear layer to maps
    of a quarter of the image's sides, then twice through upsampling and convolution. ``image_size``
    is a side in pixels, or (H, W). Raises `SettingError` for sides that can't be made so.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        latent: int = 1024,
        image_size: int | tuple[int, int] = 32,
        width: float = 1.0,
        channels: int = 3,
    ) -> None:
        super().__init__()
        self.channels = scaled(BASE_CHANNELS, width)  # of the maps
        self.base = base_resolution(image_size)
        height, width_of_base = self.base
        half = scaled(BASE_CHANNELS // 2, width)
        self.project = nn.Linear(latent + num_classes, self.channels * height * width_of_base)
        self.body = nn.Sequential(
            nn.BatchNorm2d(self.channels),
            nn.LeakyReLU(0.2),
            Upsample2x(),
            nn.Conv2d(self.channels, self.channels, 3, padding=1),
            nn.BatchNorm2d(self.channels),
            nn.LeakyReLU(0.2),
            Upsample2x(),
            nn.Conv2d(self.channels, half, 3, padding=1),
            nn.BatchNorm2d(half),
            nn.LeakyReLU(0.2),
            nn.Conv2d(half, channels, 3, padding=1),
        )
        self.apply(_initialise)

    def forward(self, latent: Tensor, one_hot: Tensor) -> Tensor:
        """``latent`` (N, Z) and ``one_hot`` (N, K) to images (N, C, H, W)."""
        projected = self.project(torch.cat([latent, one_hot], dim=1))
        maps = projected.view(-1, self.channels, *self.base)
        images: Tensor = self.body(maps.contiguous(memory_format=torch.channels_last))
        return images


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
