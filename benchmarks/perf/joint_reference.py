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


class PublishedGame:
    """Teacher, generator and student as the published codes hold them."""

    def __init__(
        self, recipe: JointSynthesizer, teacher: Teacher, student: nn.Module, seed: int
    ) -> None:
        self.recipe, self.student = recipe, student.requires_grad_(True)
        self.model = copy.deepcopy(teacher.model).requires_grad_(True).eval()
        with seeded(derive(seed, "generator")):
            self.network: UnconditionalGenerator = recipe.build_generator(teacher.image_shape[-1])
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
        side = self.network.base
        images: Tensor = self.network.body(maps.view(size, self.network.channels, side, side))
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
    game = PublishedGame(recipe, teacher, student, seed)
    step: Any = _dafl if isinstance(recipe, DAFL) else _dfad
    rows = []
    for epoch in range(recipe.epochs):
        game.epoch(epoch / recipe.epochs)
        draws = generator(derive(seed, "epoch", epoch))
        with seeded(derive(seed, "dropout", epoch)):
            rows += [step(game, recipe, draws) for _ in range(recipe.steps)]
    student.eval()
    return rows


def _dafl(game: PublishedGame, recipe: DAFL, draws: torch.Generator) -> dict[str, float]:
    images = game.sample(draws)
    game.for_generator.zero_grad()
    game.for_student.zero_grad()
    game.embedding.clear()
    logits = game.model(images)
    loss = recipe.one_hot * priors.one_hot(logits)
    loss = loss + recipe.information_entropy * priors.information_entropy(logits)
    loss = loss + recipe.activation * priors.activation(game.embedding[0])
    followed = priors.distillation(
        game.student(images.detach()), logits.detach(), recipe.temperature
    )
    (loss + followed).backward()  # type: ignore[no-untyped-call]
    game.for_generator.step()
    game.for_student.step()
    return {"generator": loss.item(), "student": followed.item()}


def _dfad(game: PublishedGame, recipe: Any, draws: torch.Generator) -> dict[str, float]:
    for _ in range(recipe.student_steps):
        images = game.sample(draws).detach()
        with torch.no_grad():
            target = game.model(images)
        game.for_student.zero_grad()
        followed = priors.disagreement(game.student(images), target)
        followed.backward()  # type: ignore[no-untyped-call]
        game.for_student.step()
    images = game.sample(draws)
    game.for_generator.zero_grad()
    loss = -priors.disagreement(game.student(images), game.model(images))
    loss.backward()  # type: ignore[no-untyped-call]
    game.for_generator.step()
    return {"generator": loss.item(), "student": followed.item()}
