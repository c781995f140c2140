"""What DAFL and DFAD share: a generator and a student that grow together, epoch by epoch.

A subclass says what one step is; this class owns the order of steps, the learning-rate drops, the
seeds (one per epoch, so that an interrupted run goes on with the same draws), saving and sampling.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion.errors import DivergedError
from naturalinversion.precision import numerics
from naturalinversion.progress import Progress
from naturalinversion.seeds import derive, generator, seeded
from naturalinversion.synthesis import Batch, StudentUse, Training
from naturalinversion.teacher.teacher import Teacher
from naturalinversion.validation import above_zero, at_least


@dataclass(kw_only=True)
class JointSynthesizer(ABC):
    """Train generator and student in ``epochs`` times ``steps`` steps, then sample the generator.

    ``milestones`` are fractions of the run at which ``gamma`` multiplies the student's learning
    rate (the generator's as well if ``generator_schedule``). The student ends as it is after the
    last epoch: nothing is selected.
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

    student_use: ClassVar[StudentUse] = "joint"

    _teacher: Teacher = field(init=False, repr=False)
    _generator: UnconditionalGenerator = field(init=False, repr=False)
    _losses: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        at_least(1, self, "epochs", "steps", "latent")
        at_least(2, self, "batch_size")
        at_least(0, self, "rate_generator", "rate_student", "momentum", "weight_decay")
        above_zero(self, "generator_width")

    @property
    def prepare_steps(self) -> int:
        """Optimisation steps of `prepare`."""
        return self.epochs * self.steps

    @abstractmethod
    def build_generator(self, image_size: int) -> UnconditionalGenerator:
        """The method's generator, freshly initialised."""

    @abstractmethod
    def step(self, game: "Game", draws: torch.Generator) -> dict[str, Tensor]:
        """One step of generator and student; returns the loss terms, detached."""

    def prepare(
        self, teacher: Teacher, student: nn.Module | None, seed: int, training: Training
    ) -> None:
        """Train the generator and, in place, ``student``; goes on from what was saved.

        Raises `DivergedError` naming the term and the epoch.
        """
        assert student is not None, "synthesize() refuses a joint method without a student"
        self._teacher = teacher
        self._build(seed)
        game = Game(teacher, student, self._generator, self)
        saved = training.restore()
        if saved is not None:
            game.load_state_dict(saved)
        student.requires_grad_(True)
        student.to(memory_format=torch.channels_last)
        for epoch in range(game.epoch, self.epochs):
            game.start(epoch / self.epochs)
            draws = generator(derive(seed, "epoch", epoch))
            with seeded(derive(seed, "dropout", epoch)):
                rows = []
                for _ in range(self.steps):
                    with numerics(teacher.device, teacher.precision):
                        rows.append(self.step(game, draws))
                    training.progress(1)
            game.record(rows)
            training.save(game.state_dict())
        # Back to the usual layout: what is stored must not depend on how it was computed.
        student.to(memory_format=torch.contiguous_format)
        student.eval()
        self._losses = game.losses()

    def batch(self, labels: Tensor, seed: int, progress: Progress) -> Batch:
        """``len(labels)`` samples of the generator, labelled by the teacher's argmax.

        The generator's batch norms use the sample's own statistics, as in its training.
        """
        self._generator.train()
        with torch.no_grad(), numerics(self._teacher.device, self._teacher.precision):
            images = self._generator.sample(len(labels), generator(seed))
            labels = self._teacher(images).argmax(dim=1)
        return Batch(images.to(self._teacher.dtype), labels, self._losses)

    def state_dict(self) -> dict[str, Tensor]:
        """The generator's weights."""
        return self._generator.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take the generator back; needs `prepare`'s teacher."""
        self._generator.load_state_dict(state)

    def _build(self, seed: int) -> None:
        with seeded(derive(seed, "generator")):
            self._generator = self.build_generator(self._teacher.image_shape[-1])
        self._generator.to(self._teacher.device, self._teacher.dtype)
        self._generator.to(memory_format=torch.channels_last)


class Game:
    """Generator, student and their optimisers; what an interrupted `prepare` needs to go on."""

    def __init__(
        self,
        teacher: Teacher,
        student: nn.Module,
        network: UnconditionalGenerator,
        recipe: JointSynthesizer,
    ) -> None:
        self.teacher, self.student, self.generator, self.recipe = teacher, student, network, recipe
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.generator_optimizer = torch.optim.Adam(
            network.parameters(), lr=recipe.rate_generator, fused=True
        )
        self.student_optimizer = torch.optim.SGD(
            student.parameters(),
            lr=recipe.rate_student,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=True,
        )

    def start(self, progress: float) -> None:
        """Begin an epoch: modes and learning rates for ``progress`` in [0, 1)."""
        self.student.train()
        self.generator.train()
        recipe = self.recipe
        drop = recipe.gamma ** sum(progress >= milestone for milestone in recipe.milestones)
        self.student_optimizer.param_groups[0]["lr"] = recipe.rate_student * drop
        generator_drop = drop if recipe.generator_schedule else 1.0
        self.generator_optimizer.param_groups[0]["lr"] = recipe.rate_generator * generator_drop

    def record(self, rows: list[dict[str, Tensor]]) -> None:
        """End an epoch with the mean of its loss terms."""
        means = {name: torch.stack([row[name] for row in rows]).mean().item() for name in rows[0]}
        for name, value in means.items():
            if not math.isfinite(value):
                raise DivergedError(f"{name} became {value} in epoch {self.epoch}")
        self.history.append(means)
        self.epoch += 1

    def losses(self) -> dict[str, Tensor]:
        """Each term's mean per epoch (epochs,)."""
        return {n: torch.tensor([row[n] for row in self.history]) for n in self.history[0]}

    def state_dict(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "history": self.history,
            "generator": self.generator.state_dict(),
            "student": self.student.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict(),
            "student_optimizer": self.student_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.history = state["epoch"], state["history"]
        for name in ("generator", "student", "generator_optimizer", "student_optimizer"):
            getattr(self, name).load_state_dict(state[name])
