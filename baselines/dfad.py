"""DFAD, data-free adversarial distillation (Fang et al., 2019).

A game over one number, the mean absolute difference of student and teacher logits:
``student_steps`` times the student lowers it on fresh images, then the generator raises it once
(Alg. 1). Defaults are the official values.

Differs from the official code: the student after the last epoch is the result, not the best on the
test set; the generator builds no graph in the student's steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.joint_training import Game, JointSynthesizer
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import priors


@dataclass(kw_only=True)
class DFAD(JointSynthesizer):
    """The synthesizer; its student is trained in `prepare`, on images nobody else sees."""

    epochs: int = 500
    steps: int = 50
    batch_size: int = 256
    latent: int = 256
    rate_generator: float = 1e-3
    milestones: tuple[float, ...] = (0.2, 0.4)
    generator_schedule: bool = True
    student_steps: int = 5

    def build_generator(self, image_size: int) -> UnconditionalGenerator:
        return UnconditionalGenerator(
            self.latent, image_size=image_size, width=self.generator_width
        )

    def step(self, game: Game, draws: torch.Generator) -> dict[str, Tensor]:
        for _ in range(self.student_steps):
            with torch.no_grad():
                images = game.generator.sample(self.batch_size, draws)
                target = game.teacher(images)
            student_loss = priors.disagreement(game.student(images), target)
            game.student_optimizer.zero_grad()
            student_loss.backward()  # type: ignore[no-untyped-call]
            game.student_optimizer.step()
        game.student.requires_grad_(False)
        images = game.generator.sample(self.batch_size, draws)
        generator_loss = -priors.disagreement(game.student(images), game.teacher(images))
        game.generator_optimizer.zero_grad()
        generator_loss.backward()  # type: ignore[no-untyped-call]
        game.generator_optimizer.step()
        game.student.requires_grad_(True)
        return {"student": student_loss.detach(), "generator": generator_loss.detach()}
