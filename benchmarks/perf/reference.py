"""The published loops of DeepInversion and NaturalInversion, step by step and unoptimised.

What every speed here is measured against: our own plain code that does per iteration what the
published implementations do. The teacher's weights collect gradients that nobody reads, hooks take
mean and variance in two passes over every batch norm's input, in the pass that only wants features
as well, the images are rendered again whenever the loss falls, everything is float32 in
(N, C, H, W) order, and each iteration's losses are read back.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.deep_inversion import DeepInversion, Pixels
from naturalinversion import NaturalInversion, Teacher, priors
from naturalinversion.generator.generated_images import GeneratedImages
from naturalinversion.inversion.invert import InversionResult
from naturalinversion.inversion.jitter import ImageTransform, IterationShifts
from naturalinversion.inversion.objective import Weights

FIRST_LOWEST = 1e6  # the published codes keep no image until the loss is below it


class PublishedTeacher:
    """A copy of the classifier with its hooks, which stay."""

    def __init__(self, teacher: Teacher) -> None:
        self.model = copy.deepcopy(teacher.model).requires_grad_(True).eval()
        _to_nchw(self.model)
        self.stages = teacher.stages
        self.distances: list[Tensor] = []
        self.maps: dict[str, list[Tensor]] = {}
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(self._compare)
        for name in {stage.module for stage in self.stages}:
            self.model.get_submodule(name).register_forward_hook(self._keep(name))

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (N, K); distances and maps are those of this call."""
        self.distances, self.maps = [], {}
        logits: Tensor = self.model(images)
        return logits

    def features(self) -> tuple[Tensor, ...]:
        """The maps of the last call, fine to coarse."""
        return tuple(self.maps[stage.module][stage.call] for stage in self.stages)

    def _compare(self, norm: nn.BatchNorm2d, inputs: tuple[Tensor], output: Tensor) -> None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        seen = inputs[0]
        mean = seen.mean([0, 2, 3])
        variance = seen.permute(1, 0, 2, 3).reshape(seen.shape[1], -1).var(1, unbiased=False)
        self.distances.append(
            torch.norm(norm.running_var - variance, 2) + torch.norm(norm.running_mean - mean, 2)
        )

    def _keep(self, name: str) -> Any:
        def hook(module: nn.Module, inputs: object, output: Tensor) -> None:
            self.maps.setdefault(name, []).append(output)

        return hook


def reference_batch(
    synthesizer: DeepInversion | NaturalInversion, teacher: Teacher, labels: Tensor, seed: int
) -> InversionResult:
    """What ``synthesizer.batch`` gives, by the published steps; ``prepare`` was called."""
    weights, draws = synthesizer.weights(len(labels)), synthesizer.draws(seed)
    source = synthesizer.source(labels, seed)
    if isinstance(source, GeneratedImages):
        _to_nchw(source)
    student = synthesizer._student
    model = PublishedTeacher(teacher)
    return _loop(model, source, labels, weights, draws, synthesizer.keep == "best", student)


def _loop(
    model: PublishedTeacher,
    source: GeneratedImages | Pixels,
    labels: Tensor,
    weights: Weights,
    draws: Sequence[IterationShifts],
    keep_best: bool,
    student: nn.Module | None,
) -> InversionResult:
    optimizer = source.optimizer()
    best, lowest = torch.empty(0), FIRST_LOWEST
    rows = []
    for inside, before_loss in draws:
        images = before_loss(_render(model, source, inside))
        optimizer.zero_grad()
        logits = model(images)
        terms = {"cross_entropy": F.cross_entropy(logits, labels)}
        terms["bn_statistics"] = sum(model.distances, torch.zeros(()))
        terms["total_variation"] = priors.total_variation(images)
        terms["l2"] = torch.norm(images, 2)
        if student is not None and weights.compete:
            terms["compete"] = priors.compete(student(images), logits)
        total = torch.zeros(())
        for name, term in terms.items():
            total = total + getattr(weights, name) * term
        if keep_best and total.item() < lowest:
            lowest = total.item()
            with torch.no_grad():
                best = _render(model, source, None).clone()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rows.append({name: term.item() for name, term in {**terms, "total": total}.items()})
    if not keep_best:
        with torch.no_grad():
            best = _render(model, source, None).clone()
    return InversionResult(
        best, {name: torch.tensor([row[name] for row in rows]) for name in rows[0]}
    )


def _render(
    model: PublishedTeacher, source: GeneratedImages | Pixels, by: ImageTransform | None
) -> Tensor:
    if isinstance(source, Pixels):
        return source.images
    network = source.generator
    projected = network.project(torch.cat([source.latent, source.one_hot], dim=1))
    images: Tensor = network.body(projected.view(-1, network.channels, *network.base))
    if by is not None:
        images = by(images)
    if source.pyramid is not None:
        with torch.no_grad():
            model(images)
        images = source.pyramid(images, model.features())
    else:
        images = source.output_head(images)
    return images * source.scale


def _to_nchw(module: nn.Module) -> None:
    """Weights in (N, C, H, W) order, those of 1x1 convolutions included, whose order is either."""
    for parameter in module.parameters():
        parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
