"""The published loops of DAFL and DFAD in plain code: float32 in (N, C, H, W) order, unfused
optimisers, gradients for whatever has weights (the teacher's, which nobody reads, and in DFAD the
student's while the generator learns), and each step's losses read back.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from baselines.dafl import DAFL
from baselines.joint_training import JointSynthesizer
from baselines.unconditional_generator import UnconditionalGenerator
from naturalinversion import Teacher, priors
from naturalinversion.seeds import derive, generator, seeded


class ReferenceJointTraining:
    """Teacher, generator, student and optimisers as the published codes have them."""

    def __init__(
        self, recipe: JointSynthesizer, teacher: Teacher, student: nn.Module, seed: int
    ) -> None:
        self.recipe, self.student = recipe, student.requires_grad_(True)
        self.model = copy.deepcopy(teacher.model).requires_grad_(True).eval()
        with seeded(derive(seed, "generator")):
            self.network: UnconditionalGenerator = recipe.build_generator(teacher.image_shape)
        self.network.to(teacher.device, teacher.dtype)
        for module in (self.model, self.student, self.network):
            for parameter in module.parameters():
                parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
        self.embedding: list[Tensor] = []
        last = [module for module in self.model.modules() if isinstance(module, nn.Linear)][-1]
        last.register_forward_pre_hook(lambda module, inputs: self.embedding.append(inputs[0]))
        self.for_generator = torch.optim.Adam(self.network.parameters(), lr=recipe.rate_generator)
        self.for_student = torch.optim.SGD(
            self.student.parameters(),
            lr=recipe.rate_student,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )

    def sample(self, draws: torch.Generator) -> Tensor:
        """A batch of the generator's images."""
        weight = self.network.project.weight
        size = self.recipe.batch_size
        latent = torch.randn(size, self.network.latent, generator=draws).to(weight)
        maps = self.network.project(latent)
        shape = (size, self.network.channels, *self.network.base)
        images: Tensor = self.network.body(maps.view(shape))
        return images

    def epoch(self, progress: float) -> None:
        """Modes and learning rates."""
        self.student.train()
        self.network.train()
        recipe = self.recipe
        drop = recipe.gamma ** sum(progress >= milestone for milestone in recipe.milestones)
        self.for_student.param_groups[0]["lr"] = recipe.rate_student * drop
        if recipe.generator_schedule:
            self.for_generator.param_groups[0]["lr"] = recipe.rate_generator * drop


def reference_training(
    recipe: JointSynthesizer, teacher: Teacher, student: nn.Module, seed: int
) -> list[dict[str, float]]:
    """What ``recipe.prepare`` does to ``student``, by the published steps; the losses of each."""
    training = ReferenceJointTraining(recipe, teacher, student, seed)
    step: Any = _dafl if isinstance(recipe, DAFL) else _dfad
    rows = []
    for epoch in range(recipe.epochs):
        training.epoch(epoch / recipe.epochs)
        draws = generator(derive(seed, "epoch", epoch))
        with seeded(derive(seed, "dropout", epoch)):
            rows += [step(training, recipe, draws) for _ in range(recipe.steps)]
    student.eval()
    return rows


def _dafl(
    training: ReferenceJointTraining, recipe: DAFL, draws: torch.Generator
) -> dict[str, float]:
    images = training.sample(draws)
    training.for_generator.zero_grad()
    training.for_student.zero_grad()
    training.embedding.clear()
    logits = training.model(images)
    loss = recipe.one_hot * priors.one_hot(logits)
    loss = loss + recipe.information_entropy * priors.information_entropy(logits)
    loss = loss + recipe.activation * priors.activation(training.embedding[0])
    student_loss = priors.distillation(
        training.student(images.detach()), logits.detach(), recipe.temperature
    )
    (loss + student_loss).backward()  # type: ignore[no-untyped-call]
    training.for_generator.step()
    training.for_student.step()
    return {"generator": loss.item(), "student": student_loss.item()}


def _dfad(
    training: ReferenceJointTraining, recipe: Any, draws: torch.Generator
) -> dict[str, float]:
    for _ in range(recipe.student_steps):
        images = training.sample(draws).detach()
        with torch.no_grad():
            target = training.model(images)
        training.for_student.zero_grad()
        student_loss = priors.disagreement(training.student(images), target)
        student_loss.backward()  # type: ignore[no-untyped-call]
        training.for_student.step()
    images = training.sample(draws)
    training.for_generator.zero_grad()
    loss = -priors.disagreement(training.student(images), training.model(images))
    loss.backward()  # type: ignore[no-untyped-call]
    training.for_generator.step()
    return {"generator": loss.item(), "student": student_loss.item()}
