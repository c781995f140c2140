"""WGAN-GP (Gulrajani et al., NeurIPS 2017, "Improved Training of Wasserstein GANs").

The reference of Table 1 and not data-free: it learns from the real images. Algorithm 1 with the
residual networks of Appendix F (unsupervised CIFAR-10). The critic minimises
D(fake) - D(real) + penalty * (|grad D(mixed)| - 1)^2, ``critic_steps`` times for each step of the
generator, which minimises -D(fake).

For details the paper refers to the official code. Taken from there: upsampling before a block's
first convolution (the paper: before the second); the generator's batch, twice the critic's;
Glorot's initialisation, with He's factor in the blocks; a 1x1 convolution on the shortcut where a
block changes side or channels; no ReLU before the critic's first convolution, where it would hide
the darker half of the pixels.

Differs from the official code: real images are drawn independently of each other, not epoch by
epoch, so that every iteration has a seed of its own; one device, so a batch norm sees its whole
batch, not the half on each of two. Other widths, and other sizes of image than 32, are ours.
Never in bfloat16: the penalty is the gradient of a gradient.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from baselines.wgan_networks import BASE_SIDE, Critic, Generator
from naturalinversion.errors import DivergedError, SettingError
from naturalinversion.seeds import brought, derive, generator, seeded
from naturalinversion.synthesis import Training

TERMS = ("critic", "wasserstein", "generator")
STRETCH = 50  # iterations between two looks at the losses, which make the host wait for the device

Draw = Callable[[int, torch.Generator], Tensor]  # so many real images (N, 3, H, W) in [-1, 1]


@dataclass(frozen=True, kw_only=True)
class WassersteinSettings:
    """``iterations`` are the generator's; the rate of both networks falls linearly to 0.

    ``batch_size`` counts the real images of a critic's step, and the fake ones.

    Raises `SettingError` for values that the method can't work with.
    """

    iterations: int = 100_000
    critic_steps: int = 5
    batch_size: int = 64
    generator_batch_size: int = 128
    latent: int = 128
    width: float = 1.0
    penalty: float = 10.0
    rate: float = 2e-4
    betas: tuple[float, float] = (0.0, 0.9)

    def __post_init__(self) -> None:
        if min(self.iterations, self.critic_steps, self.latent) < 1:
            raise SettingError("iterations, critic_steps and latent must be one or more")
        if min(self.batch_size, self.generator_batch_size) < 2:
            raise SettingError("batches must be of two or more: the generator has batch norms")
        for name in ("width", "rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingError(f"{name} must be above zero, not {getattr(self, name)}")
        if not 0 <= self.penalty < math.inf:
            raise SettingError(f"penalty must be zero or more, not {self.penalty}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise SettingError(f"betas must lie in [0, 1), not {self.betas}")


class WassersteinGAN:
    """Generator and critic; `train`, then `sample`. Same seed, same bytes on a CPU."""

    losses: dict[str, Tensor]  # each term (iterations,): means over the critic's steps

    def __init__(
        self, settings: WassersteinSettings, image_size: int, device: torch.device | str = "cpu"
    ) -> None:
        if image_size < 2 * BASE_SIDE or image_size & (image_size - 1):
            raise SettingError(f"WGAN-GP makes images of 8, 16, 32, … pixels: not {image_size}")
        self.settings, self.image_size = settings, image_size
        self.device = torch.device(device)

    def train(self, draw: Draw, *, seed: int, training: Training | None = None) -> None:
        """Train both networks on what ``draw`` gives; goes on from what was saved.

        Raises `DivergedError` naming the term and the iteration.
        """
        training = training or Training()
        self._build(seed)
        history: list[Tensor] = []  # (iterations, terms)
        saved = training.restore()
        if saved is not None:
            self._restore(saved)
            history = [saved["history"]]
        done = sum(map(len, history))
        for start in range(done, self.settings.iterations, STRETCH):
            rows = []
            for iteration in range(start, min(start + STRETCH, self.settings.iterations)):
                draws = generator(derive(seed, "iteration", iteration))
                rows.append(self._iterate(iteration, draw, draws))
                training.progress(1)
            history.append(_checked(torch.stack(rows).cpu(), start))
            training.save(self._state(torch.cat(history)))
        self.losses = dict(zip(TERMS, torch.cat(history).unbind(1), strict=True))

    def sample(self, count: int, seed: int) -> Tensor:
        """``count`` images (N, 3, H, W) in [-1, 1] of the trained generator.

        Its batch norms use the sample's own statistics, as in training.
        """
        with torch.no_grad():
            images: Tensor = self.generator(self._latent(count, generator(seed)))
        return images

    def _build(self, seed: int) -> None:
        settings = self.settings
        with seeded(derive(seed, "generator")):
            self.generator = Generator(settings.latent, self.image_size, settings.width)
        with seeded(derive(seed, "critic")):
            self.critic = Critic(settings.width)
        self._optimizers = {}
        for name, network in (("generator", self.generator), ("critic", self.critic)):
            network.to(self.device)
            self._optimizers[name] = torch.optim.Adam(
                network.parameters(), lr=settings.rate, betas=settings.betas, fused=True
            )

    def _iterate(self, iteration: int, draw: Draw, draws: torch.Generator) -> Tensor:
        """Algorithm 1, lines 2 to 12: the terms (3,) of one iteration."""
        settings = self.settings
        for optimizer in self._optimizers.values():
            optimizer.param_groups[0]["lr"] = settings.rate * (1 - iteration / settings.iterations)
        steps = [self._critic_step(draw, draws) for _ in range(settings.critic_steps)]
        return torch.cat([torch.stack(steps).mean(dim=0), self._generator_step(draws)[None]])

    def _critic_step(self, draw: Draw, draws: torch.Generator) -> Tensor:
        """Lines 3 to 9: the critic's loss and its estimate of the Wasserstein distance (2,)."""
        size = self.settings.batch_size
        real = draw(size, draws).to(self.device)
        with torch.no_grad():
            fake = self.generator(self._latent(size, draws))
        mix = brought(torch.rand(size, 1, 1, 1, generator=draws), self.device)
        of_real, of_fake = self.critic(torch.cat([real, fake])).chunk(2)
        distance = of_real.mean() - of_fake.mean()
        loss = self.settings.penalty * gradient_penalty(self.critic, real, fake, mix) - distance
        self._step("critic", loss)
        return torch.stack([loss, distance]).detach()

    def _generator_step(self, draws: torch.Generator) -> Tensor:
        """Lines 11 and 12: the generator's loss ()."""
        self.critic.requires_grad_(False)  # its gradients would be computed for nothing
        fake = self.generator(self._latent(self.settings.generator_batch_size, draws))
        loss: Tensor = -self.critic(fake).mean()
        self._step("generator", loss)
        self.critic.requires_grad_(True)
        return loss.detach()

    def _step(self, name: str, loss: Tensor) -> None:
        self._optimizers[name].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizers[name].step()

    def _latent(self, count: int, draws: torch.Generator) -> Tensor:
        return brought(torch.randn(count, self.settings.latent, generator=draws), self.device)

    def _state(self, history: Tensor) -> dict[str, Any]:
        return {
            "history": history,
            "networks": {n: getattr(self, n).state_dict() for n in self._optimizers},
            "optimizers": {n: o.state_dict() for n, o in self._optimizers.items()},
        }

    def _restore(self, state: dict[str, Any]) -> None:
        for name, optimizer in self._optimizers.items():
            getattr(self, name).load_state_dict(state["networks"][name])
            optimizer.load_state_dict(state["optimizers"][name])


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor
) -> Tensor:
    """Mean over the batch of (|gradient of the critic| - 1)^2 between real and fake: a scalar.

    ``mix`` (N, 1, 1, 1) in [0, 1] is the share of ``real`` (N, 3, H, W) in each mixed image.
    """
    mixed = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    norms: Tensor = gradient.flatten(1).norm(dim=1)
    return (norms - 1).square().mean()


def _checked(rows: Tensor, start: int) -> Tensor:
    """``rows`` (iterations, terms) from iteration ``start`` on, if all are numbers."""
    broken = torch.nonzero(~rows.isfinite()).tolist()
    if broken:
        row, term = broken[0]
        value = rows[row, term].item()
        raise DivergedError(f"{TERMS[term]} became {value} in iteration {start + row}")
    return rows
