"""The hyper-parameters of WGAN-GP; the defaults are the published ones."""

from dataclasses import dataclass

from naturalinversion.errors import SettingError
from naturalinversion.validation import above_zero, at_least, typed


@dataclass(frozen=True, kw_only=True)
class WassersteinSettings:
    """``iterations`` are the generator's; the rate of both networks falls linearly to 0.

    Each of them follows ``critic_steps`` of the critic. ``batch_size`` is the number of real images
    in a critic's step, and of generated ones; ``generator_batch_size`` that in a generator's step,
    from ``latent`` normal values each. ``width`` multiplies the published channels of both
    networks. ``penalty`` is the weight of the gradient penalty (lambda in Eq. 3). ``rate`` and
    ``betas`` are Adam's. Raises `SettingError` for values of another type or out of range.
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
        typed(self)
        at_least(1, self, "iterations", "critic_steps", "latent")
        at_least(2, self, "batch_size", "generator_batch_size")  # the generator has batch norms
        above_zero(self, "width", "rate")
        at_least(0, self, "penalty")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise SettingError(f"betas are {self.betas}: 0 or more, below 1")
