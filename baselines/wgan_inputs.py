"""The random inputs of an iteration of WGAN-GP, in the tensors that a captured step reads."""

from collections.abc import Callable

import torch
from torch import Tensor

from baselines.wgan_settings import WassersteinSettings
from naturalinversion.seeds import refill

RealSampler = Callable[
    [int, torch.Generator], Tensor
]  # a number of real images (N, 3, H, W) in [-1, 1]


class WassersteinInputs:
    """Real images, latents and mixing weights of an iteration, and its index (1,)."""

    def __init__(
        self, settings: WassersteinSettings, image_size: int, device: torch.device, iteration: int
    ) -> None:
        steps, size = settings.critic_steps, settings.batch_size
        self.real = torch.zeros(steps, size, 3, image_size, image_size, device=device)
        self.latents = torch.zeros(steps, size, settings.latent, device=device)
        self.mixes = torch.zeros(steps, size, 1, 1, 1, device=device)
        generator_size = settings.generator_batch_size
        self.generator_latents = torch.zeros(generator_size, settings.latent, device=device)
        self.iteration = torch.tensor([iteration], device=device)

    def draw(self, sample_real: RealSampler, draws: torch.Generator) -> None:
        """Draw all inputs from ``draws``, in the order of Algorithm 1."""
        for real, latent, mix in zip(self.real, self.latents, self.mixes, strict=True):
            refill(real, sample_real(len(real), draws))
            refill(latent, torch.randn(latent.shape, generator=draws))
            refill(mix, torch.rand(mix.shape, generator=draws))
        latent = self.generator_latents
        refill(latent, torch.randn(latent.shape, generator=draws))
