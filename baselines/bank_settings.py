"""Settings that CMI and Fast-DFKD share."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from naturalinversion.errors import SettingError
from naturalinversion.loss_weights import check_weights
from naturalinversion.validation import above_zero, at_least, below_one, typed


@dataclass(kw_only=True)
class BankSettings:
    """Make ``epochs`` batches in all, each in ``inner_steps``, followed by ``student_steps``.

    After ``warmup`` batches, which only fill the bank, the student's learning rate falls in a
    cosine from ``rate_student`` to ``rate_student_end``; the adversarial term starts one batch
    earlier. ``draw_labels``: classes drawn at random in place of the balanced ones asked for.
    ``truncate``: pixels are stored rounded down, as the official codes do, or to the nearest.
    Images and views are cropped from ``crop`` black pixels around them and mirrored if ``flip``.

    Images come of ``latent`` normal values each, through a generator whose channels are
    ``generator_width`` times the published ones; ``rate_generator`` and ``rate_latent`` are Adam's
    learning rates. Weights of the loss terms, 0 for none: ``cross_entropy`` against the target
    labels, ``bn_statistics`` (R_BN), ``adversarial``, of disagreement of the student where it names
    the teacher's class (`priors.agreeing_divergence`).

    The student's steps are on ``student_batch`` images, by SGD with ``momentum`` and
    ``weight_decay``. ``temperature`` softens its distillation, times temperature squared, as Hinton
    et al. have it; DAFL's has no such factor.
    """

    epochs: int
    inner_steps: int
    student_steps: int = 400
    student_batch: int = 256
    latent: int = 256
    generator_width: float = 1.0
    rate_generator: float
    rate_latent: float
    cross_entropy: float = 1.0
    bn_statistics: float = 1.0
    adversarial: float = 0.5
    warmup: int = 0
    rate_student: float = 0.1
    rate_student_end: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    temperature: float = 20.0
    crop: int = 4
    flip: bool = True
    draw_labels: bool = False
    truncate: bool = True

    terms: ClassVar[tuple[str, ...]] = ("cross_entropy", "bn_statistics", "adversarial")

    def __post_init__(self) -> None:
        typed(self)
        at_least(1, self, "epochs", "inner_steps", "latent")
        at_least(2, self, "student_batch")
        at_least(0, self, "rate_generator", "rate_latent", "rate_student", "rate_student_end")
        at_least(0, self, "student_steps", "warmup", "crop", "weight_decay")
        below_one(self, "momentum")
        above_zero(self, "generator_width", "temperature")
        check_weights(self, self.terms)
        if self.warmup >= self.epochs:
            raise SettingError(f"warmup is {self.warmup}: fewer than the {self.epochs} epochs")
        always = [name for name in self.terms if name != "adversarial"]
        if self.warmup > 1 and not any(getattr(self, name) for name in always):
            raise SettingError(
                f"{', '.join(always)} are all 0, and warmup is {self.warmup}: nothing to minimise "
                "before the adversarial term starts"
            )

    @property
    def iterations(self) -> int:
        """Steps of a batch, those of the student included."""
        return self.inner_steps + self.student_steps

    def with_iterations(self, iterations: int, batch_size: int) -> Self:
        """One batch of so many steps, to be timed.

        After the first, of the images, both kinds are in proportion: what a few more steps take,
        which is what an estimate is made of, is what all of them take.
        """
        inner = 1 + round((iterations - 1) * self.inner_steps / self.iterations)
        steps = iterations - inner
        return replace(self, epochs=1, warmup=0, inner_steps=inner, student_steps=steps)
