"""The images of one batch while CMI or Fast-DFKD optimises them."""

import torch
from torch import Tensor, nn

from baselines.bank_losses import Terms
from naturalinversion.teacher.observation import Observation

BETAS = (0.5, 0.999)  # of Adam for images and generators


class BatchImages:
    """The images of one batch while they are optimised: a generator's, and latents (N, Z).

    A subclass adds terms, or another step.
    """

    def __init__(self, network: nn.Module, latents: Tensor, rates: tuple[float, float]) -> None:
        self.network, self.latents = network.train(), latents.requires_grad_()
        groups = [
            {"params": list(network.parameters()), "lr": rates[0]},
            {"params": [self.latents], "lr": rates[1]},
        ]
        self.optimizer = torch.optim.Adam(groups, betas=BETAS)

    def render(self) -> Tensor:
        """Pixels (N, C, H, W) in [0, 1]."""
        pixels: Tensor = self.network(self.latents)
        return pixels.to(self.latents.dtype)

    def bn_statistics(self, seen: Observation) -> Tensor:
        """R_BN of a pass through the teacher."""
        return seen.bn_statistics()

    def more_terms(self, pixels: Tensor, draws: torch.Generator) -> Terms:
        """Further loss terms, unweighted; the method's setting of that name is the weight."""
        return {}

    def beside(self) -> list[Tensor]:
        """What is kept together with the best iterate's pixels."""
        return []

    def step(self, total: Tensor, last: bool) -> None:
        """Minimise ``total`` by one step; ``last``: the batch's last one."""
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def finish(self, kept: list[Tensor]) -> None:
        """After the last step; ``kept`` is what was `beside` the best iterate."""
