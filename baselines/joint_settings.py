"""Settings that DAFL and DFAD share."""

from dataclasses import dataclass, replace
from typing import Self

from naturalinversion.errors import SettingError
from naturalinversion.validation import above_zero, at_least, below_one, typed, within


@dataclass(kw_only=True)
class JointSettings:
    """Train generator and student in ``epochs`` times ``steps`` steps.

    A step is on ``batch_size`` images from ``latent`` normal values each; the generator's channels
    are ``generator_width`` times the published ones. ``rate_generator`` is Adam's learning rate;
    ``rate_student``, ``momentum`` and ``weight_decay`` are of the student's SGD.
    ``milestones`` are fractions of the run at which ``gamma`` multiplies the student's learning
    rate (the generator's as well if ``generator_schedule``). The result is the student
    after the last epoch, not the best one.
    """

    epochs: int
    steps: int
    batch_size: int
    latent: int
    generator_width: float = 1.0
    rate_generator: float
    rate_student: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1
    generator_schedule: bool = False

    def __post_init__(self) -> None:
        typed(self)
        at_least(1, self, "epochs", "steps", "latent")
        at_least(2, self, "batch_size")
        at_least(0, self, "rate_generator", "rate_student", "weight_decay")
        above_zero(self, "generator_width", "gamma")
        within(0, 1, self, "gamma")
        below_one(self, "momentum")
        if not all(0 <= milestone <= 1 for milestone in self.milestones):
            raise SettingError(
                f"milestones are {', '.join(f'{m:g}' for m in self.milestones)}: fractions of the "
                "run, 0 to 1"
            )

    def with_iterations(self, iterations: int, batch_size: int) -> Self:
        """The same method with one epoch of so many steps, to be timed."""
        return replace(self, epochs=1, steps=iterations, batch_size=batch_size)
