"""WGAN-GP (Gulrajani et al., NeurIPS 2017, "Improved Training of Wasserstein GANs").

The reference of Table 1 and not data-free: it learns from the real images. Algorithm 1 with the
residual networks of Appendix F (unsupervised CIFAR-10). The critic minimises
D(fake) - D(real) + penalty * (|grad D(mixed)| - 1)^2, ``critic_steps`` times for each step of the
generator, which minimises -D(fake).

For details the paper refers to the official code. Taken from there: upsampling before a block's
first convolution (the paper: before the second); the generator's batch, twice the critic's;
Glorot's initialisation, with He's factor in the blocks; a 1x1 convolution on the shortcut where a
block changes side or channels; no ReLU before the critic's first convolution, where it would cut
off the darker half of the pixels.

Differs from the official code: real images are drawn independently of each other, not epoch by
epoch, so that every iteration has a seed of its own; one device, so a batch norm sees its whole
batch, not the half on each of two. Other widths, and other sizes of image than 32, are ours.
Never in bfloat16, whatever the caller computes in: the penalty is the gradient of a gradient.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from baselines.wgan_inputs import RealSampler, WassersteinInputs
from baselines.wgan_networks import BASE_SIDE, Critic, Generator
from baselines.wgan_settings import WassersteinSettings
from naturalinversion.errors import SettingError
from naturalinversion.inversion.cuda_graph import CapturedStep, supports_capture
from naturalinversion.inversion.loss_history import CHECK_EVERY, LossHistory
from naturalinversion.inversion.optimizers import load_optimizer, rate_on, set_rate, state_of
from naturalinversion.precision import compute_in
from naturalinversion.seeds import derive, generator, seeded, to_device
from naturalinversion.synthesis import Training
from naturalinversion.torch_state import usual_torch_state
from naturalinversion.validation import one_of

TERMS = ("critic", "wasserstein", "generator")
WassersteinPrecision = Literal["fp32", "tf32"]


class WassersteinGAN:
    """Generator and critic; `train`, then `sample`. Deterministic by seed on a CPU.

    ``precision`` is "fp32", or "tf32" on a GPU. Raises `SettingError` for another one, and for an
    ``image_size`` that is not a power of two, 8 or more.
    """

    losses: dict[str, Tensor]  # each term (iterations,): means over the critic's steps

    def __init__(
        self,
        settings: WassersteinSettings,
        image_size: int,
        device: torch.device | str = "cpu",
        precision: WassersteinPrecision = "fp32",
    ) -> None:
        if image_size < 2 * BASE_SIDE or image_size & (image_size - 1):
            raise SettingError(f"WGAN-GP makes images of 8, 16, 32, … pixels: not {image_size}")
        self.settings, self.image_size = settings, image_size
        self.device, self.precision = torch.device(device), precision
        one_of(WassersteinPrecision, self, "precision")

    def train(
        self, sample_real: RealSampler, *, seed: int, training: Training | None = None
    ) -> None:
        """Train both networks on images of ``sample_real``; resumes from the saved state.

        Raises `DivergedError` naming the term and the iteration.
        """
        with self._own_state():
            self._train(sample_real, seed, training or Training())

    def sample(self, count: int, seed: int) -> Tensor:
        """``count`` images (N, 3, H, W) in [-1, 1] of the trained generator.

        Its batch norms use the sample's own statistics, as in training.
        """
        with self._own_state(), torch.no_grad():
            latent = torch.randn(count, self.settings.latent, generator=generator(seed))
            images: Tensor = self.generator(to_device(latent, self.device))
        return images

    @contextmanager
    def _own_state(self) -> Iterator[None]:
        """Neither the caller's autocast nor its `no_grad` holds until the end of the block."""
        with usual_torch_state(), compute_in(self.device, self.precision):
            yield

    def _train(self, sample_real: RealSampler, seed: int, training: Training) -> None:
        self._build(seed)
        history = LossHistory(self.settings.iterations)
        saved = training.restore()
        if saved is not None:
            self._restore(saved)
            history.resume(TERMS, saved["history"].to(self.device))
            training.progress(len(saved["history"]))
        begin = 0 if saved is None else len(saved["history"])
        if begin < self.settings.iterations:  # else nothing is left to capture a step of
            self._train_from(begin, sample_real, seed, training, history)
        self.losses = history.to_host(self.settings.iterations)

    def _train_from(
        self,
        begin: int,
        sample_real: RealSampler,
        seed: int,
        training: Training,
        history: LossHistory,
    ) -> None:
        inputs = WassersteinInputs(self.settings, self.image_size, self.device, begin)
        iterate = self._iteration_function(inputs, history)
        for iteration in range(begin, self.settings.iterations):
            inputs.draw(sample_real, generator(derive(seed, "iteration", iteration)))
            for optimizer in self._optimizers.values():
                rate = self.settings.rate * (1 - iteration / self.settings.iterations)
                set_rate(optimizer, rate)
            iterate()
            training.progress(1)
            done = iteration + 1
            if done % CHECK_EVERY == 0 or done == self.settings.iterations:
                history.check_later(done)
                training.save(self._state(history.rows[:done].clone()))

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
                network.parameters(),
                lr=rate_on(self.device, settings.rate),
                betas=settings.betas,
                fused=True,
                capturable=supports_capture(self.device),
            )

    def _iteration_function(
        self, inputs: WassersteinInputs, history: LossHistory
    ) -> Callable[[], None]:
        """An iteration on the current values of ``inputs``, captured on a GPU."""

        def iterate() -> None:
            self._iterate(inputs, history)

        def state() -> list[Tensor]:
            networks = [*self.generator.parameters(), *self.critic.parameters()]
            moments = [t for optimizer in self._optimizers.values() for t in state_of(optimizer)]
            return [*networks, *moments, history.rows, inputs.iteration]

        return (
            CapturedStep(iterate, self.device, state) if supports_capture(self.device) else iterate
        )

    def _iterate(self, inputs: WassersteinInputs, history: LossHistory) -> None:
        """Algorithm 1, lines 2 to 12."""
        steps = [
            self._critic_step(real, latent, mix)
            for real, latent, mix in zip(inputs.real, inputs.latents, inputs.mixes, strict=True)
        ]
        critic, wasserstein = torch.stack(steps).mean(dim=0)
        terms = (critic, wasserstein, self._generator_step(inputs.generator_latents))
        history.append(inputs.iteration, dict(zip(TERMS, terms, strict=True)))
        inputs.iteration.add_(1)

    def _critic_step(self, real: Tensor, latent: Tensor, mix: Tensor) -> Tensor:
        """Lines 3 to 9: the critic's loss and its estimate of the Wasserstein distance (2,)."""
        with torch.no_grad():
            fake = self.generator(latent)
        real_scores, fake_scores = self.critic(torch.cat([real, fake])).chunk(2)
        distance = real_scores.mean() - fake_scores.mean()
        loss = self.settings.penalty * gradient_penalty(self.critic, real, fake, mix) - distance
        self._step("critic", loss)
        return torch.stack([loss, distance]).detach()

    def _generator_step(self, latent: Tensor) -> Tensor:
        """Lines 11 and 12: the generator's loss ()."""
        self.critic.requires_grad_(False)  # its gradients are not needed
        loss: Tensor = -self.critic(self.generator(latent)).mean()
        self._step("generator", loss)
        self.critic.requires_grad_(True)
        return loss.detach()

    def _step(self, name: str, loss: Tensor) -> None:
        self._optimizers[name].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizers[name].step()

    def _state(self, history: Tensor) -> dict[str, Any]:
        return {
            "history": history,
            "networks": {n: getattr(self, n).state_dict() for n in self._optimizers},
            "optimizers": {n: o.state_dict() for n, o in self._optimizers.items()},
        }

    def _restore(self, state: dict[str, Any]) -> None:
        for name, optimizer in self._optimizers.items():
            getattr(self, name).load_state_dict(state["networks"][name])
            load_optimizer(optimizer, state["optimizers"][name])


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
