"""DFAD, data-free adversarial distillation (Fang et al., 2019).

Minimax over the mean absolute difference of student and teacher logits: the student minimises it in
``student_steps`` steps on new images, then the generator maximises it in one (Alg. 1). Defaults are
the official values.

Differs from the official code: the student after the last epoch is the result, not the best on the
test set; the generator builds no graph in the student's steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.joint_state import JointState
from baselines.joint_training import JointSynthesizer
from naturalinversion import priors
from naturalinversion.module_modes import trainability_kept
from naturalinversion.validation import at_least


@dataclass(kw_only=True)
class DFAD(JointSynthesizer):
    """The synthesizer; its student is trained in `prepare`, on images that are not stored.

    ``student_steps`` of the student come before each of the generator's.
    """

    epochs: int = 500
    steps: int = 50
    batch_size: int = 256
    latent: int = 256
    rate_generator: float = 1e-3
    milestones: tuple[float, ...] = (0.2, 0.4)
    generator_schedule: bool = True
    student_steps: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "student_steps")

    @property
    def samples(self) -> int:
        """One for each of the student's steps, one for the generator's."""
        return self.student_steps + 1

    def step(self, state: JointState, latents: Tensor) -> dict[str, Tensor]:
        for latent in latents[:-1]:
            with torch.no_grad():
                images = state.generator(latent)
                target = state.teacher(images)
            student_loss = priors.disagreement(state.student(images), target)
            state.student_optimizer.zero_grad()
            student_loss.backward()  # type: ignore[no-untyped-call]
            state.student_optimizer.step()
        with trainability_kept(state.student):
            state.student.requires_grad_(False)
            images = state.generator(latents[-1])
            generator_loss = -priors.disagreement(state.student(images), state.teacher(images))
            state.generator_optimizer.zero_grad()
            generator_loss.backward()  # type: ignore[no-untyped-call]
            state.generator_optimizer.step()
        return {"student": student_loss.detach(), "generator": generator_loss.detach()}
