"""The conditional generator of NaturalInversion and the upsampling body it is made of.

Kim et al., AAAI 2022, "Inversion Using Generative Model"; the layers are those of the official
code, since the paper's appendix is not public. Widths and image sizes other than 32 are ours.
"""

import torch
from torch import Tensor, nn

from naturalinversion.classifiers.scaling import scaled
from naturalinversion.errors import SettingError
from naturalinversion.generator.upsampling import Upsample2x

BASE_CHANNELS = 128


class ConditionalGenerator(nn.Module):
    """Latent and label to an unbounded image (N, 3, H, W): no activation at the end.

    The latent (N, ``latent``) and the raw one-hot label (N, K) go through one linear layer to maps
    of a quarter of the image's side, then twice through upsampling and convolution.
    """

    def __init__(
        self, num_classes: int, *, latent: int = 1024, image_size: int = 32, width: float = 1.0
    ) -> None:
        super().__init__()
        self.channels = scaled(BASE_CHANNELS, width)
        self.base = base_resolution(image_size)
        half = scaled(BASE_CHANNELS // 2, width)
        self.project = nn.Linear(latent + num_classes, self.channels * self.base**2)
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
            nn.Conv2d(half, 3, 3, padding=1),
        )
        self.apply(_initialise)

    def forward(self, latent: Tensor, one_hot: Tensor) -> Tensor:
        """``latent`` (N, Z) and ``one_hot`` (N, K) to images (N, 3, H, W)."""
        projected = self.project(torch.cat([latent, one_hot], dim=1))
        maps = projected.view(-1, self.channels, self.base, self.base)
        images: Tensor = self.body(maps.contiguous(memory_format=torch.channels_last))
        return images


def base_resolution(image_size: int) -> int:
    """A quarter of the image's side, at which a generator starts. Raises `SettingError`."""
    if image_size < 8 or image_size % 4:
        raise SettingError(
            f"the generator makes images whose side is a multiple of 4, 8 or more: not {image_size}"
        )
    return image_size // 4


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
