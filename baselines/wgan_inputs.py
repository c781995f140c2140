"""What an iteration of WGAN-GP draws, where a captured step looks for it."""

from collections.abc import Callable

import torch
from torch import Tensor

from baselines.wgan_settings import WassersteinSettings
from naturalinversion.seeds import refill

RealSampler = Callable[
    [int, torch.Generator], Tensor
]  # so many real images (N, 3, H, W) in [-1, 1]


class WassersteinInputs:
    """What an iteration draws, in tensors that stay where they are; and its number (1,)."""

    def __init__(
        self, settings: WassersteinSettings, image_size: int, device: torch.device, iteration: int
    ) -> None:
        steps, size = settings.critic_steps, settings.batch_size
        self.real = torch.zeros(steps, size, 3, image_size, image_size, device=device)
        self.latents = torch.zeros(steps, size, settings.latent, device=device)
        self.mixes = torch.zeros(steps, size, 1, 1, 1, device=device)
        of_generator = settings.generator_batch_size
        self.generator_latents = torch.zeros(of_generator, settings.latent, device=device)
        self.iteration = torch.tensor([iteration], device=device)

    def draw(self, draw: RealSampler, draws: torch.Generator) -> None:
        """Fill them, in the order of Algorithm 1."""
        for real, latent, mix in zip(self.real, self.latents, self.mixes, strict=True):
            refill(real, draw(len(real), draws))
            refill(latent, torch.randn(latent.shape, generator=draws))
            refill(mix, torch.rand(mix.shape, generator=draws))
        place = self.generator_latents
        refill(place, torch.randn(place.shape, generator=draws))
