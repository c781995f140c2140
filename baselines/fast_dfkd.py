"""Fast-DFKD (Fang et al., "Up to 100x Faster Data-Free Knowledge Distillation", AAAI 2022).

A generator is learned that needs few steps for a new batch: each batch copies it, takes some steps
with the copy and new latents, and moves it by the copy's gradients, summed over the steps
(first-order MAML; or towards the copy, Reptile). Statistics of earlier batches are mixed into R_BN.

Differs from the official code: everything that a batch leaves to the next survives an interruption;
the student is the one after the last epoch, not the best on the test set. The paper's text was not
at hand: where it differs from the code, this is the code.
"""

import copy
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from baselines.bank_training import BankSynthesizer
from baselines.batch_images import BETAS, BatchImages
from baselines.named_tensors import load_tensors, part, tensors_of
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import priors
from naturalinversion.seeds import derive, seeded
from naturalinversion.teacher.observation import Observation
from naturalinversion.validation import finite, within

REPTILE = 67.0  # factor of the difference; Adam hardly sees it

Meta = Literal["maml", "reptile", "none"]
Moments = list[tuple[Tensor, Tensor]]  # mean and variance (C,) of each layer


@dataclass(kw_only=True)
class FastDFKD(BankSynthesizer):
    """The synthesizer. Defaults are the published values for five steps, ResNet-34 to ResNet-18.

    The learned generator's rate is ``rate_generator`` times the steps. ``statistics_momentum`` is
    the share of earlier batches in R_BN. After the fraction ``reset`` of the epochs that follow
    the warm-up (0: never) its first linear layer starts anew, and its first batch norm with gains
    of mean ``reset_gain``: 0 in the official code. Without ``meta`` learning one generator is
    trained on from batch to batch, without a reset.
    """

    epochs: int = 220
    inner_steps: int = 5
    rate_generator: float = 3e-3
    rate_latent: float = 0.01
    cross_entropy: float = 0.5
    bn_statistics: float = 10.0
    adversarial: float = 1.33
    warmup: int = 20
    rate_student: float = 0.2
    rate_student_end: float = 2e-4
    draw_labels: bool = True
    meta: Meta = "maml"
    statistics_momentum: float = 0.9
    reset: float = 0.6
    reset_gain: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        within(0, 1, self, "reset", "statistics_momentum")
        finite(self, "reset_gain")

    def build(self, seed: int) -> None:
        network = self._learned = self.pixel_generator(seed)
        rate = self.inner_steps * self.rate_generator
        self._outer = torch.optim.Adam(network.parameters(), lr=rate, betas=BETAS)
        self._moments: Moments = []

    def images(self, number: int, latents: Tensor, seed: int) -> BatchImages:
        resets = self.reset if self.meta != "none" else 0.0
        if resets and number + 1 == self.warmup + round(resets * (self.epochs - self.warmup)):
            with seeded(derive(seed, "reset")):
                _start_anew(self._learned, self.reset_gain)
        return _FewSteps(self, latents)

    def state_dict(self) -> dict[str, Tensor]:
        found = super().state_dict() | tensors_of(self._outer, "generator_optimizer")
        found |= {f"generator.{n}": tensor for n, tensor in self._learned.state_dict().items()}
        for number, (mean, variance) in enumerate(self._moments):
            found |= {f"moments.{number}.mean": mean, f"moments.{number}.variance": variance}
        return found

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(state)
        self._learned.load_state_dict(part(state, "generator"))
        load_tensors(self._outer, state, "generator_optimizer")
        kept, device = part(state, "moments"), self._teacher.device
        self._moments = [
            (kept[f"{number}.mean"].to(device), kept[f"{number}.variance"].to(device))
            for number in range(len(kept) // 2)
        ]


class _FewSteps(BatchImages):
    """A batch's copy of the learned generator."""

    def __init__(self, method: FastDFKD, latents: Tensor) -> None:
        self.method, self.learned = method, method._learned
        rates = method.rate_generator, method.rate_latent
        super().__init__(copy.deepcopy(self.learned), latents, rates)
        for parameter in self.learned.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.moments: Moments = []

    def bn_statistics(self, seen: Observation) -> Tensor:
        """R_BN of this batch's statistics mixed with those of the batches before."""
        self.moments = [(s.mean.detach(), s.variance.detach()) for s in seen.statistics]
        before, share = self.method._moments, self.method.statistics_momentum
        if not before or not share:
            return seen.bn_statistics()
        mixed = [
            replace(
                layer,
                mean=torch.lerp(layer.mean, mean, share),
                variance=torch.lerp(layer.variance, variance, share),
            )
            for layer, (mean, variance) in zip(seen.statistics, before, strict=True)
        ]
        return priors.bn_statistics(mixed)

    def step(self, total: Tensor, last: bool) -> None:
        """Collect the copy's gradients; the learned generator moves at the last step."""
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.method.meta == "maml":
            self._collect([p.grad for p in self.network.parameters()], 1.0)
            if last:
                self.method._outer.step()
        self.optimizer.step()

    def finish(self, kept: list[Tensor]) -> None:
        """Reptile's step, or none; then the mean statistics, of the last pass."""
        method = self.method
        if method.meta == "reptile":
            pairs = zip(self.learned.parameters(), self.network.parameters(), strict=True)
            self._collect([(ours - theirs).detach() for ours, theirs in pairs], REPTILE)
            method._outer.step()
        elif method.meta == "none":
            self.learned.load_state_dict(self.network.state_dict())
        share, before = method.statistics_momentum, method._moments or self.moments
        method._moments = [
            (torch.lerp(new[0], old[0], share), torch.lerp(new[1], old[1], share))
            for new, old in zip(self.moments, before, strict=True)
        ]

    def _collect(self, gradients: list[Tensor | None], factor: float) -> None:
        for parameter, gradient in zip(self.learned.parameters(), gradients, strict=True):
            assert parameter.grad is not None
            assert gradient is not None
            parameter.grad.add_(gradient, alpha=factor)


def _start_anew(network: UnconditionalGenerator, gain: float) -> None:
    """The first linear layer and the first batch norm, as the official code sets them.

    Drawn on the host in float32, as all weights are: the same on every device.
    """
    norm = network.body[0]
    assert isinstance(norm, nn.BatchNorm2d)
    with torch.no_grad():
        for weight, mean in ((network.project.weight, 0.0), (norm.weight, gain)):
            drawn = torch.empty(weight.shape, dtype=torch.float32, device="cpu")
            weight.copy_(nn.init.normal_(drawn, mean, 0.02))
    nn.init.zeros_(network.project.bias)
    nn.init.zeros_(norm.bias)
