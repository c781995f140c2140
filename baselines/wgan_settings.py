"""The hyper-parameters of WGAN-GP; the defaults are the published ones."""

import math
from dataclasses import dataclass

from naturalinversion.errors import SettingError
from naturalinversion.validation import typed


@dataclass(frozen=True, kw_only=True)
class WassersteinSettings:
    """``iterations`` are the generator's; the rate of both networks falls linearly to 0.

    ``batch_size`` is the number of real images in a critic's step, and of generated ones. Raises
    `SettingError` for values of another type or out of range.
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
